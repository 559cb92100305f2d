//! Replays each corpus, then mutates it for `CONCLAVE_FUZZ_SECONDS` (2 by default) per target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use conclave_fuzz::{Mutator, TARGETS};

macro_rules! targets {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            fuzz(stringify!($name));
        }
    )* };
}

targets! { datagram deframe descriptor link media offer signalling }

#[test]
fn each_target_has_a_test_and_a_corpus() {
    let tested = ["datagram", "deframe", "descriptor", "link", "media", "offer", "signalling"];
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, tested);
    for name in names {
        assert!(corpus(name).len() >= 3, "too few seeds for {name}");
    }
}

fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let seeds = corpus(name);
    for seed in &seeds {
        (target.run)(seed);
    }

    let end = Instant::now() + budget();
    let mut mutator = Mutator::new(env_number("CONCLAVE_FUZZ_SEED").unwrap_or(1));
    let mut runs = 0u64;
    while Instant::now() < end {
        let input = mutator.next(&seeds);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(&input))) {
            let kept = keep(name, &input);
            panic!("run {runs} of {name} failed on {}: {panic:?}", kept.display());
        }
        runs += 1;
    }
    assert!(runs > 0, "no time for a single run");
}

/// The seeds of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&folder).expect("each target has a corpus");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a readable seed")).collect()
}

/// Keeps an input that failed, to become a seed once the fault is mended.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    fs::write(&file, input).expect("room for the input");
    file
}

fn budget() -> Duration {
    Duration::from_secs(env_number("CONCLAVE_FUZZ_SECONDS").unwrap_or(2))
}

fn env_number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
