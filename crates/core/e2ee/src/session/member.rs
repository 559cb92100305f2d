use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use conclave_commit_rules::{Accepted, CredentialId, LeafView, Mute, Order, Role};
use conclave_frame::{Leaf, Source};
use conclave_link::MetaKey;
use conclave_mls::{Group, Stop};

use crate::admission::{Admission, KnockView};
use crate::epoch::{Media, Switch};
use crate::input::Now;
use crate::liveness::{Liveness, Silence};
use crate::output::{Event, Fork, Output, State, Suspension, ToServer, Warning};
use crate::roster::Roster;
use crate::session::act::OrderWish;
use crate::session::again::Missed;
use crate::talk::Talk;
use crate::verify;

/// How long the server may take with a commit that others have, before sending stops.
pub(super) const WITHHELD_AFTER: Duration = Duration::from_secs(10);

/// A device in the group.
pub(super) struct Member {
    pub(super) group: Group,
    pub(super) meta: MetaKey,
    pub(super) media: Media,
    pub(super) roster: Roster,
    pub(super) order: Order,
    pub(super) admission: Admission,
    pub(super) liveness: Liveness,
    pub(super) talk: Talk,
    pub(super) out: VecDeque<Output>,
    /// The commit of its own that awaits the server's word.
    pub(super) own: Option<Own>,
    pub(super) kicks: BTreeSet<CredentialId>,
    pub(super) missed: Missed,
    pub(super) orders: VecDeque<OrderWish>,
    /// Since when the server wants someone out.
    pub(super) removal_since: Option<Duration>,
    pub(super) last_path: Duration,
    pub(super) warm_up: Option<Duration>,
    pub(super) retry_at: Option<Duration>,
    pub(super) attempts: u32,
    pub(super) heartbeat_retry: Option<Duration>,
    pub(super) silence: Silence,
    pub(super) trouble: Option<Trouble>,
    pub(super) stranded: Option<[u8; 32]>,
    pub(super) behind: Option<Behind>,
    /// Messages of this epoch that did not open.
    pub(super) unreadable: u32,
    /// The last commit: its epoch and hash.
    pub(super) last_commit: Option<(u64, [u8; 32])>,
    /// Where the code was compared, as long as nobody came since.
    pub(super) code_compared: Option<u64>,
    pub(super) is_removed: bool,
}

/// A commit of its own.
pub(super) struct Own {
    pub(super) outgoing: conclave_mls::Outgoing,
    pub(super) since: Duration,
    /// The server said that another was first.
    pub(super) rejected: Option<Duration>,
}

/// What does not pass.
#[derive(Clone, Copy)]
pub(super) enum Trouble {
    Forked(Fork),
    Refused(Stop),
}

/// Others are in a later epoch.
pub(super) struct Behind {
    pub(super) seen: u64,
    pub(super) since: Duration,
}

impl Member {
    pub(super) fn enter(
        group: Group,
        meta: MetaKey,
        previous: Option<CredentialId>,
        now: Duration,
    ) -> Option<Self> {
        let mut member = Self {
            group,
            meta,
            media: Media::default(),
            roster: Roster::default(),
            order: Order::default(),
            admission: Admission::default(),
            liveness: Liveness::default(),
            talk: Talk::default(),
            out: VecDeque::new(),
            own: None,
            kicks: BTreeSet::new(),
            missed: Missed::default(),
            orders: VecDeque::new(),
            removal_since: None,
            last_path: now,
            warm_up: None,
            retry_at: None,
            attempts: 0,
            heartbeat_retry: None,
            silence: Silence::None,
            trouble: None,
            stranded: None,
            behind: None,
            unreadable: 0,
            last_commit: None,
            code_compared: None,
            is_removed: false,
        };
        member.read(now, None)?;
        let alone = member.roster.len() == 1;
        member.install(now, if alone { Switch::AtOnce } else { Switch::WhenReady }, &[])?;
        member.warm_up = member.warm_up_at(now);
        // A host that reloaded removes the leaf that it left; others' are the server's to propose.
        let own = member.own_leaf();
        let is_host =
            member.roster.people().get(&own).is_some_and(|person| person.role == Role::Host);
        let left = previous.filter(|id| is_host && member.roster.find(id).is_some());
        member.kicks.extend(left);
        Some(member)
    }

    pub(super) fn own_leaf(&self) -> u32 {
        self.group.own_leaf()
    }

    pub(super) fn role(&self) -> Role {
        let own = self.roster.people().get(&self.own_leaf());
        own.map_or(Role::Guest, |person| person.role)
    }

    pub(super) fn state(&self, now: Duration) -> State {
        match (self.trouble, self.stranded, &self.behind) {
            (Some(Trouble::Forked(fork)), ..) => State::Forked(fork),
            (Some(Trouble::Refused(stop)), ..) => State::Refused(stop),
            (None, Some(commit), _) => State::Stranded { commit },
            (None, None, Some(Behind { seen, since })) if now >= *since + WITHHELD_AFTER => {
                State::Suspended(Suspension::Withheld { seen: *seen })
            }
            (None, None, _) if self.silence == Silence::Stop => {
                State::Suspended(Suspension::Silence)
            }
            (None, None, Some(Behind { seen, .. })) => State::CatchingUp { seen: *seen },
            (None, None, None) => State::InGroup,
        }
    }

    /// Whether media and messages may leave.
    pub(super) fn may_send(&self, now: Duration) -> bool {
        matches!(self.state(now), State::InGroup | State::CatchingUp { .. })
    }

    /// Whether commits may: also by someone whom nobody is heard of, to put people out.
    pub(super) const fn may_commit(&self) -> bool {
        self.trouble.is_none() && self.stranded.is_none() && self.behind.is_none()
    }

    pub(super) fn say_event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.say_event(Event::Warning(warning));
    }

    pub(super) fn send(&mut self, message: ToServer) {
        self.out.push_back(Output::Send(message));
    }

    pub(super) fn reconnected(&mut self) {
        self.admission.start_over();
        self.show_knocks();
        self.ask_log();
    }

    pub(super) fn ask_log(&mut self) {
        let epoch = self.group.epoch();
        self.send(ToServer::LogSince(epoch));
    }

    pub(super) fn stop(&mut self, trouble: Trouble) {
        if self.trouble.is_none() {
            self.trouble = Some(trouble);
        }
    }

    /// A commit took effect.
    pub(super) fn advance(&mut self, now: Now, accepted: &Accepted, commit: (u64, [u8; 32])) {
        self.put_out(&accepted.put_out);
        let came: Vec<_> =
            accepted.added.iter().chain(&accepted.joined).map(|entry| entry.credential).collect();
        let pathless =
            !accepted.added.is_empty() && accepted.removed.is_empty() && accepted.order.is_none();
        if !pathless {
            self.last_path = now.at;
            self.warm_up = None;
        }
        if !came.is_empty() {
            self.code_compared = None;
        }
        self.last_commit = Some(commit);
        self.removal_since = None;
        self.retry_at = None;
        self.attempts = 0;
        self.unreadable = 0;
        self.stranded = None;
        let epoch = self.group.epoch();
        if self.behind.as_ref().is_some_and(|behind| behind.seen <= epoch) {
            self.behind = None;
        }
        let switch = if accepted.removed.is_empty() { Switch::WhenReady } else { Switch::AtOnce };
        if self.read(now.at, Some(now.at)).is_none()
            || self.install(now.at, switch, &accepted.removed).is_none()
        {
            return;
        }
        self.admission.came_in(now.at, &came);
        let is_there = |id: &CredentialId| self.roster.find(id).is_some();
        self.kicks.retain(is_there);
        self.mark_leaving();
        self.show_knocks();
    }

    /// Reads members and order of the epoch.
    fn read(&mut self, now: Duration, arrival: Option<Duration>) -> Option<()> {
        let leaves: BTreeMap<u32, LeafView> = self.group.members().ok()?;
        self.order = self.group.order();
        let (own, meta) = (self.own_leaf(), &self.meta);
        self.roster.read(arrival, own, &leaves, &self.order, |leaf| {
            verify::name(meta, leaf).unwrap_or_default()
        });
        let mark = self.group.fork_mark();
        self.liveness.enter(now, &self.roster, (mark.epoch, mark.transcript_hash));
        Some(())
    }

    fn install(&mut self, now: Duration, switch: Switch, removed: &[u32]) -> Option<()> {
        let epoch = self.group.epoch();
        let own = Leaf::try_from(self.own_leaf()).ok()?;
        let key = self.group.take_frame_key()?;
        self.media.enter(now, (epoch, key), own, switch, removed);
        self.media.set_mutes(self.mutes());
        self.send(ToServer::Ready(epoch));
        self.say_event(Event::Epoch(epoch));
        Some(())
    }

    fn mutes(&self) -> BTreeSet<(Leaf, Source)> {
        let sources = |mute: &Mute| match mute {
            Mute::Camera(who) => Some((*who, [Source::Camera, Source::Camera])),
            Mute::Microphone(who) => Some((*who, [Source::Microphone, Source::Microphone])),
            Mute::Screen(who) => Some((*who, [Source::Screen, Source::ScreenAudio])),
            Mute::Chat(_) => None,
        };
        let leaf = |who| self.roster.find(&who).and_then(|p| Leaf::try_from(p.leaf).ok());
        self.order
            .mutes
            .iter()
            .filter_map(sources)
            .filter_map(|(who, sources)| Some((leaf(who)?, sources)))
            .flat_map(|(leaf, sources)| sources.map(|source| (leaf, source)))
            .collect()
    }

    pub(super) fn mark_leaving(&mut self) {
        let kicked = self.kicks.iter().filter_map(|id| self.roster.find(id)).map(|p| p.leaf);
        let leaving: Vec<_> = kicked.chain(self.group.pending_removes()).collect();
        for leaf in leaving {
            self.roster.mark_leaving(leaf);
        }
    }

    /// Who asks to come in, for an admitter to see.
    pub(super) fn knocks(&self) -> Vec<KnockView> {
        if self.role() < Role::Admitter {
            return Vec::new();
        }
        self.admission.views(|name| self.roster.is_taken(name))
    }

    pub(super) fn show_knocks(&mut self) {
        if self.role() >= Role::Admitter {
            let views = self.knocks();
            self.say_event(Event::Knocks(views));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        self.media.handle_timeout(now.at);
        if self.trouble.is_some() || self.is_removed {
            return;
        }
        self.check_silence(now.at);
        self.heartbeat(now.at);
        self.flush(now.at);
        self.watch_own(now.at);
        self.act(now);
    }

    fn check_silence(&mut self, now: Duration) {
        let (silence, _) = self.liveness.silence(now, &self.roster, self.own_leaf());
        if silence > self.silence {
            self.warn(Warning::Silence);
        } else if silence == Silence::None && self.silence != Silence::None {
            self.warn(Warning::SilenceOver);
        }
        self.silence = silence;
    }

    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let media = self.media.poll_timeout();
        if self.trouble.is_some() || self.is_removed {
            return media;
        }
        let own = self.own_leaf();
        let heartbeat = if self.stranded.is_none() {
            let due = self.liveness.own_due(&self.roster, own);
            Some(self.heartbeat_retry.map_or(due, |retry| retry.max(due)))
        } else {
            None
        };
        let (_, silence) = self.liveness.silence(now, &self.roster, own);
        let behind = self.behind.as_ref().map(|b| b.since + WITHHELD_AFTER).filter(|at| *at > now);
        [media, heartbeat, silence, behind, self.act_due(now), self.own_due()]
            .into_iter()
            .flatten()
            .min()
            // What is due and cannot be done yet does not make the shell spin.
            .map(|at| if at <= now { now + Duration::from_millis(50) } else { at })
    }
}
