//! The frontier of a run under way: the time before which every window is loaded.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::model::{KeyKind, TimeKey, Window};

/// Windows that are not loaded yet, in order.
pub(crate) struct Frontier {
    kind: Option<KeyKind>,
    open: Mutex<BTreeSet<i64>>,
    /// Where the last window of the job ends.
    end: Option<i64>,
}

impl Frontier {
    pub(crate) fn new(kind: Option<KeyKind>, open: &[Window]) -> Self {
        let starts = open.iter().map(|window| window.bounds().0).collect();
        Self { kind, open: Mutex::new(starts), end: open.last().map(|window| window.bounds().1) }
    }

    /// Notes that a window is loaded; the new frontier, as people read it, if it moved.
    pub(crate) fn pass(&self, window: &Window) -> Option<String> {
        let (kind, mut open) = (self.kind?, self.open.lock().expect("no thread panics while it holds the frontier"));
        let was_first = open.first() == Some(&window.bounds().0);
        open.remove(&window.bounds().0);
        let frontier = open.first().copied().or(self.end)?;
        was_first.then(|| kind.short(TimeKey(frontier)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_moves_only_past_windows_without_a_hole() {
        let windows = [1, 2, 3].map(|n| Window::time(TimeKey(n), TimeKey(n + 1)).unwrap());
        let frontier = Frontier::new(Some(KeyKind::Integer), &windows);
        assert_eq!(frontier.pass(&windows[1]), None);
        assert_eq!(frontier.pass(&windows[0]).as_deref(), Some("3"));
        assert_eq!(frontier.pass(&windows[2]).as_deref(), Some("4"));
    }
}
