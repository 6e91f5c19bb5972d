//! The CPU pool, and the byte permits that join it to async code; the sole owner of rayon.
//!
//! Decoding and encoding run here and never on a thread that drives sockets. A permit stands for memory: whoever wants to
//! read a piece first takes permits for all that the piece will hold, and gives them back when its last block is sent.
//! Taking everything at once is what makes a deadlock between two half-served pieces impossible.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::{Error, ErrorKind, Result};

/// Threads that decode and encode.
pub(crate) struct CpuPool(rayon::ThreadPool);

impl CpuPool {
    /// A pool of `threads` threads.
    pub(crate) fn try_new(threads: usize) -> Result<Self> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("pgbackfill-cpu-{i}"))
            .build()
            .map(Self)
            .map_err(|error| Error::new(ErrorKind::Limit, format!("start {threads} threads")).with_source(error))
    }

    /// Runs `work` on the pool and waits for it without blocking. A panic in it becomes an error.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            // Nobody waits any more when the run was given up; the result is then of no use.
            let _ = sender.send(done);
        });
        receiver.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a thread of the CPU pool vanished")))
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(ErrorKind::Internal, format!("a worker panicked: {}", text.unwrap_or("no message")))
        .with_hint("this is a defect of pgbackfill; the window was rolled back, and the job can be resumed")
}

/// A limit on bytes that may be held at once.
#[derive(Clone)]
pub(crate) struct ByteLimit {
    permits: Arc<Semaphore>,
    kib_max: u32,
}

/// Permission to hold some bytes, given back when the last clone is dropped.
pub(crate) type BytePermit = Arc<OwnedSemaphorePermit>;

impl ByteLimit {
    /// A limit of `bytes_max`, counted in KiB.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let kib_max = u32::try_from(bytes_max / 1024).unwrap_or(u32::MAX / 2).clamp(1, u32::MAX / 2);
        Self { permits: Arc::new(Semaphore::new(kib_max as usize)), kib_max } // usize has at least 32 bits
    }

    /// The most that one caller can be given.
    pub(crate) fn bytes_max(&self) -> u64 {
        u64::from(self.kib_max) * 1024
    }

    /// Waits until `bytes` more may be held. A wish beyond the whole limit is granted alone, as the whole limit: the
    /// caller must know by other means that it can hold so much.
    pub(crate) async fn take(&self, bytes: u64) -> BytePermit {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.kib_max);
        let permit = Arc::clone(&self.permits).acquire_many_owned(kib).await;
        Arc::new(permit.expect("the semaphore is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_work_becomes_an_error() {
        let pool = CpuPool::try_new(1).unwrap();
        let error = pool.run::<()>(|| panic!("overflow")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("overflow"));
        assert_eq!(pool.run(|| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn permits_are_given_back_when_the_last_holder_is_gone() {
        let limit = ByteLimit::new(8 * 1024);
        let whole = limit.take(1 << 40).await;
        let second = Arc::clone(&whole);
        assert_eq!(limit.permits.available_permits(), 0);
        drop(whole);
        assert_eq!(limit.permits.available_permits(), 0);
        drop(second);
        assert_eq!(limit.permits.available_permits(), 8);
    }
}
