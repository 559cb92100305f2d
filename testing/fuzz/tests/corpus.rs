//! Replays each corpus, then mutates it for `CONCLAVE_FUZZ_SECONDS` (2 by default) per target.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
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

targets! {
    constitution datagram deframe delivery descriptor identity link media news offer opening order
    sealed session signalling statement turn vp9
}

#[test]
fn each_target_has_a_test_and_a_corpus() {
    let tested = [
        "constitution",
        "datagram",
        "deframe",
        "delivery",
        "descriptor",
        "identity",
        "link",
        "media",
        "news",
        "offer",
        "opening",
        "order",
        "sealed",
        "session",
        "signalling",
        "statement",
        "turn",
        "vp9",
    ];
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, tested);
    for name in names {
        assert!(corpus(name).len() >= 3, "too few seeds for {name}");
    }
}

static COUNT_PANICS: Once = Once::new();

thread_local! {
    /// Panics on this thread. The node contains those of a single session, so that others do not
    /// pay for it; here they count.
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let seeds = corpus(name);
    COUNT_PANICS.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            report(info);
        }));
    });
    for seed in &seeds {
        (target.run)(seed);
    }
    assert_eq!(PANICS.get(), 0, "a seed caused a panic, contained or not");

    let end = Instant::now() + budget();
    let mut mutator = Mutator::new(env_number("CONCLAVE_FUZZ_SEED").unwrap_or(1));
    let mut runs = 0u64;
    while Instant::now() < end {
        let input = mutator.next(&seeds);
        let _ = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        if PANICS.get() > 0 {
            let kept = keep(name, &input);
            panic!("run {runs} of {name} failed, see above; the input is {}", kept.display());
        }
        runs += 1;
    }
    assert!(runs > 0, "no time for a single run");
    print_runs(name, seeds.len(), runs);
}

#[expect(clippy::print_stderr, reason = "figures to look at, with --nocapture")]
fn print_runs(name: &str, seeds: usize, runs: u64) {
    eprintln!("{name}: {seeds} seeds, {runs} mutations");
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
