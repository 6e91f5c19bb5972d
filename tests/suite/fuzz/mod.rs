//! The corpus of the fuzz targets (`tests/fuzz`), and all that ever made one fail, through the same checks; no fuzzer is
//! needed for that.

pub(crate) mod checks;
mod hostile;

use std::fs;
use std::path::Path;

/// Every file of `folder`, which a target may lack.
fn inputs(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_the_corpus_and_every_past_crash_passes_its_check() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    for (target, check) in checks::CHECKS {
        let corpus = inputs(&fuzz.join("corpus").join(target));
        assert!(!corpus.is_empty(), "target {target} has no corpus");
        for path in corpus.into_iter().chain(inputs(&fuzz.join("crashes").join(target))) {
            // Told only where the check fails: a name is all that a panic lacks.
            println!("{}", path.display());
            check(&fs::read(path).unwrap());
        }
    }
}

#[test]
fn every_check_has_a_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/fuzz_targets");
    let targets: Vec<String> =
        inputs(&folder).iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let checks: Vec<&str> = checks::CHECKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(targets, checks);
}
