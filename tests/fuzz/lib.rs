//! The checks of the suite, for the fuzz targets.

#[path = "../suite/fuzz/checks/mod.rs"]
mod checks;

/// Runs the check of `target` on `data`.
pub fn check(target: &str, data: &[u8]) {
    let (_, check) = checks::CHECKS.iter().find(|(name, _)| *name == target).expect("the target has a check");
    check(data);
}

/// Keeps a panic that is caught from ending the fuzzer: Parquet's decoder panics at some corrupt files, and the seam
/// that makes errors of it is what is tested. A panic that nobody catches ends the fuzzer all the same.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|panic| {
        let of_decoder = |place: &std::panic::Location<'_>| {
            ["/parquet-", "/arrow-", "/library/"].iter().any(|part| place.file().contains(part))
        };
        if !panic.location().is_some_and(of_decoder) {
            eprintln!("{panic}");
        }
    }));
}
