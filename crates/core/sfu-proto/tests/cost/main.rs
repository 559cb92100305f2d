//! What forwarding costs, in counts that are the same on every machine: allocations and
//! instructions for each packet that goes out. Time is measured by `conclave bench media`.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that finds something else than it expects shall fail"
)]

mod crowd;

use std::cell::Cell;
use std::process::Command;
use std::time::{Duration, Instant};

use conclave_sfu_proto::{Input, Node, Output};
use crowd::{Calls, Crowd};

const SUBSCRIBERS: u32 = 20;

/// Counting allocations is quick enough for a large call.
const MANY_SUBSCRIBERS: u32 = 100;

/// What is warm stays warm: buffers have grown, histories are full, estimates have settled.
const WARM_UP: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(4);

/// The same under callgrind, where all takes fifty times as long.
const WARM_UP_COLLECTED: Duration = Duration::from_secs(2);
const COLLECTED: Duration = Duration::from_secs(1);

/// Of forwarding, with its share of receiving, feedback and timers: nothing is allocated for a packet
/// and slot, so this falls with each receiver more and each packet a second more.
const MAX_ALLOCATIONS: f64 = 0.1;

/// In the development profile. What it took when it was set, and a tenth more.
const MAX_INSTRUCTIONS: u64 = 14_100;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what is allocated meanwhile.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(call()));
    ALLOCATIONS.set(ALLOCATIONS.get() + info.count_total);
    result.expect("it was called")
}

/// Callgrind collects what these two do, by their names.
#[inline(never)]
fn tell_collected(node: &mut Node, now: Instant, input: Input<'_>) {
    node.handle_input(now, input);
}

#[inline(never)]
fn poll_collected(node: &mut Node) -> Output {
    node.poll_output()
}

#[test]
fn a_packet_is_forwarded_without_allocating() {
    let mut crowd = Crowd::new(MANY_SUBSCRIBERS);
    crowd.run(WARM_UP);
    crowd.call_node_by(Calls {
        tell: |node, now, input| counted(|| node.handle_input(now, input)),
        poll: |node| counted(|| node.poll_output()),
    });
    let before = crowd.forwarded();
    crowd.run(MEASURED);
    let (packets, allocations) = (crowd.forwarded() - before, ALLOCATIONS.get());

    assert!(packets > 9000 * u64::from(MANY_SUBSCRIBERS) / 5, "{packets} packets");
    let each = allocations as f64 / packets as f64;
    assert!(each <= MAX_ALLOCATIONS, "{each:.3} allocations a packet: {allocations} of {packets}");
}

#[test]
fn who_only_listens_costs_the_same_in_a_large_call_as_in_a_small_one() {
    let allocated = |subscribers| {
        let mut crowd = Crowd::new(subscribers);
        crowd.call_node_by(Calls {
            tell: |node, now, input| counted(|| node.handle_input(now, input)),
            poll: |node| counted(|| node.poll_output()),
        });
        let before = ALLOCATIONS.get();
        crowd.join_another();
        ALLOCATIONS.get() - before
    };

    let (few, many) = (allocated(5), allocated(MANY_SUBSCRIBERS));

    assert!(many.abs_diff(few) < u64::from(MANY_SUBSCRIBERS) / 2, "{few} and {many} allocations");
}

/// Runs under callgrind in [`a_packet_takes_no_more_instructions_than_it_may`].
#[test]
#[ignore = "takes long, and tells nothing by itself"]
fn forwarding_to_be_collected() {
    let mut crowd = Crowd::new(SUBSCRIBERS);
    crowd.run(WARM_UP_COLLECTED);
    crowd.call_node_by(Calls { tell: tell_collected, poll: poll_collected });
    let before = crowd.forwarded();
    crowd.run(COLLECTED);
    println!("forwarded {}", crowd.forwarded() - before);
}

#[test]
fn a_packet_takes_no_more_instructions_than_it_may() {
    let this = std::env::current_exe().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--toggle-collect=*tell_collected*", "--toggle-collect=*poll_collected*"])
        .arg(this)
        .args(["--exact", "forwarding_to_be_collected", "--ignored", "--nocapture"])
        .output()
        .expect("this test needs valgrind: apt-get install valgrind");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, reported) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{reported}");
    let number = |text: &str, before: &str| -> u64 {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
        rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap()
    };
    let packets = number(&said, "forwarded ");
    let instructions = number(&reported, "Collected : ");

    let each = instructions / packets;
    assert!(each <= MAX_INSTRUCTIONS, "{each} instructions a packet");
    assert!(each > MAX_INSTRUCTIONS / 2, "only {each} instructions a packet: lower the limit");
}
