//! What happens in a meeting, timed.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use conclave_commit_rules::{Mode, add_spacing};

use super::crew::Order;
use super::device::Sealed;
use super::meeting::{Meeting, Tally, Who};
use super::seen::Work;

/// How many come at once while a group is filled.
const BATCH: usize = 100;

/// Frames whose sealing and opening is averaged.
const FRAMES: usize = 500;

/// How long those take to come who come at once.
const CROWD_WITHIN: Duration = Duration::from_secs(1);

/// What came of one change of the group.
pub(super) struct Change {
    /// Until the last member was in the new epoch: from the newcomer's knock, or from the proposal
    /// to remove someone.
    pub(super) all: Duration,
    /// From the server's acceptance of the commit until the last member opened a frame that was
    /// sealed in the new epoch.
    pub(super) switch: Duration,
    pub(super) tally: Tally,
    /// Processor time of the server.
    pub(super) server: Duration,
    /// Processor time of all devices together.
    pub(super) devices: Duration,
}

/// What came of many who came at once.
pub(super) struct Rush {
    /// From the first one's knock until all were in, and in one epoch.
    pub(super) all: Duration,
    /// From each one's knock until it was in, sorted.
    pub(super) waits: Vec<Duration>,
    pub(super) tally: Tally,
    pub(super) server: Duration,
    pub(super) devices: Duration,
}

impl Meeting {
    /// Fills the meeting up to so many members.
    pub(super) fn fill(
        &mut self,
        members: usize,
        who: impl Fn(usize) -> Who,
    ) -> anyhow::Result<()> {
        if self.devices.is_empty() {
            self.enter(Who::Host)?;
            self.wait("the founding", Self::is_whole)?;
        }
        while self.devices.len() < members {
            let batch = BATCH.min(members - self.devices.len());
            self.order(0, Order::Admits(false));
            for _ in 0..batch {
                let number = self.devices.len();
                self.enter(who(number))?;
            }
            self.wait("the knocks of a batch", |meeting| meeting.knocks >= batch)?;
            self.order(0, Order::AdmitAll);
            self.settle()?;
            let mut pauses = 0;
            while !self.is_whole() {
                pauses += 1;
                anyhow::ensure!(pauses < 100, "the group does not fill up");
                self.skip(add_spacing(usize::MAX))?;
            }
            self.order(0, Order::Admits(true));
        }
        Ok(())
    }

    /// Someone comes: a guest knocks and is let in at once, a host comes in alone.
    pub(super) fn join(&mut self, who: Who) -> anyhow::Result<(usize, Change)> {
        self.skip(add_spacing(usize::MAX))?;
        let before = self.begin();
        let device = self.enter(who)?;
        self.follow(before)?;
        let knocked = self.devices.get(&device).and_then(|device| device.knocked);
        let change = self.end(before, knocked.context("nobody knocked")?)?;
        Ok((device, change))
    }

    /// Someone leaves: the server proposes the removal, and device 0 commits it.
    pub(super) fn remove(&mut self, device: usize) -> anyhow::Result<Change> {
        self.settle()?;
        let before = self.begin();
        self.order(device, Order::Leave);
        self.follow(before)?;
        let proposed = self.tally.proposed.context("no removal was proposed")?;
        self.end(before, proposed)
    }

    fn begin(&mut self) -> Before {
        self.tally = Tally::default();
        let epoch = self.epoch();
        self.order(0, Order::Speak { after: epoch });
        let (server, devices) = self.used();
        Before { epoch, server, devices }
    }

    /// Waits until all have the new epoch's keys and have used them.
    fn follow(&mut self, before: Before) -> anyhow::Result<()> {
        let new = before.epoch + 1;
        self.wait("a new epoch", |meeting| {
            meeting.all_at(new) && meeting.is_whole() && meeting.all_opened(new)
        })
    }

    /// Whether all who run a session, but for the one who sealed it, opened a frame of an epoch or
    /// of a later one.
    fn all_opened(&self, epoch: u64) -> bool {
        let listeners =
            self.devices.iter().filter(|(number, device)| **number != 0 && device.is_live);
        listeners
            .map(|(_, device)| device.opened)
            .all(|opened| opened.is_some_and(|(at, _)| at >= epoch))
    }

    fn end(&mut self, before: Before, from: Duration) -> anyhow::Result<Change> {
        let all = self.last_at().saturating_sub(from);
        let accepted = self.tally.accepted.first().copied().context("no commit was accepted")?;
        let opened = self.devices.values().filter_map(|device| device.opened);
        let opened = opened.map(|(_, at)| at).max().unwrap_or_default();
        // The server stores the group, and members answer.
        self.settle()?;
        let (server, devices) = self.used();
        Ok(Change {
            all,
            switch: opened.saturating_sub(accepted),
            tally: std::mem::take(&mut self.tally),
            server: server.saturating_sub(before.server),
            devices: devices.saturating_sub(before.devices),
        })
    }

    /// A member misses somebody's coming and going, and catches up. How long that took it, and
    /// what it did.
    pub(super) fn catch_up(&mut self) -> anyhow::Result<(Duration, Tally)> {
        let device = self.live().last().copied().filter(|device| *device != 0);
        let device = device.context("nobody is there to miss something")?;
        self.order(device, Order::Deaf(true));
        let standing = self.devices.remove(&device).context("it is not there")?;
        let (guest, _) = self.join(Who::Guest)?;
        self.remove(guest)?;

        self.tally = Tally::default();
        self.devices.insert(device, standing);
        let from = self.clock.elapsed();
        self.order(device, Order::Deaf(false));
        self.wait("catching up", Self::is_whole)?;
        let at = self.devices.get(&device).and_then(|device| device.epoch).map(|(_, at)| at);
        let took = at.unwrap_or_default().saturating_sub(from);
        self.settle()?;
        Ok((took, std::mem::take(&mut self.tally)))
    }

    /// Seals and opens many frames, and has the server write its state down.
    pub(super) fn sample(&mut self) -> anyhow::Result<Tally> {
        self.settle()?;
        self.tally = Tally::default();
        let opener = self.live().last().copied().context("nobody is there")?;
        for kind in [Sealed::Sound, Sealed::Picture] {
            self.order(0, Order::SealMany { kind, count: FRAMES, opener });
            let work = kind.open_work();
            self.wait("the frames", |meeting| meeting.tally.work.contains_key(&work))?;
        }
        self.snapshot();
        self.wait("a snapshot", |meeting| meeting.tally.work.contains_key(&Work::WriteSnapshot))?;
        self.settle()?;
        Ok(std::mem::take(&mut self.tally))
    }

    /// So many come within a second, into a meeting with one member, who is its host or not.
    pub(super) fn rush(mode: Mode, has_host: bool, count: usize) -> anyhow::Result<Rush> {
        let mut meeting = Self::open(mode, !has_host)?;
        meeting.enter(if has_host { Who::Host } else { Who::Guest })?;
        meeting.wait("the founding", Self::is_whole)?;
        meeting.settle()?;
        meeting.tally = Tally::default();
        let before = meeting.used();
        for _ in 0..count {
            meeting.enter(Who::Guest)?;
            sleep(CROWD_WITHIN / u32::try_from(count).unwrap_or(u32::MAX));
        }
        meeting.wait("the crowd", Self::is_whole)?;
        let newcomers = meeting.devices.iter().filter(|(number, _)| **number != 0);
        let waits = newcomers
            .clone()
            .filter_map(|(_, device)| Some(device.entered?.saturating_sub(device.knocked?)));
        let mut waits: Vec<_> = waits.collect();
        waits.sort_unstable();
        let first = newcomers.filter_map(|(_, device)| device.knocked).min().unwrap_or_default();
        let all = meeting.last_at().saturating_sub(first);
        meeting.settle()?;
        let after = meeting.used();
        let rush = Rush {
            all,
            waits,
            tally: std::mem::take(&mut meeting.tally),
            server: after.0.saturating_sub(before.0),
            devices: after.1.saturating_sub(before.1),
        };
        meeting.close()?;
        Ok(rush)
    }
}

/// Where the group was before a change.
#[derive(Clone, Copy)]
struct Before {
    epoch: u64,
    server: Duration,
    devices: Duration,
}
