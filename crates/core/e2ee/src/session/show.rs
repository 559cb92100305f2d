//! The shield, computed.

use crate::input::Now;
use crate::liveness::Silence;
use crate::output::State;
use crate::roster::Proof;
use crate::session::member::Member;
use crate::shield::{Basis, Gap, Shield, ShieldLevel};

impl Member {
    pub(super) fn shield(&self, now: Now) -> Shield {
        let constitution = self.group.constitution();
        let own = self.own_leaf();
        let people = self.roster.people();
        let hosts = people.values().filter(|person| person.proof == Proof::HostKey).count();
        let unverified = people.values().filter(|person| person.proof == Proof::LinkOnly).count();
        let heard = self.liveness.live_others(now.at, &self.roster, own);

        let mut based_on = vec![
            Basis::Constitution,
            Basis::LinkSecret,
            Basis::GroupKeys { epoch: self.group.epoch(), members: people.len() },
            Basis::Heard { heard, others: people.len().saturating_sub(1) },
            Basis::Hosts(hosts),
            Basis::Classification(self.order.classification),
        ];
        let mut not_covered = vec![Gap::ClientCode, Gap::Metadata, Gap::Insider];
        match self.code_compared {
            Some(epoch) => based_on.push(Basis::CodeCompared { epoch }),
            None => not_covered.push(Gap::CodeNotCompared),
        }
        let gaps = [
            (unverified > 0, Gap::Unverified(unverified)),
            (constitution.gateways, Gap::Gateways),
            (constitution.voice_level, Gap::VoiceLevel),
        ];
        not_covered.extend(gaps.into_iter().filter_map(|(is, gap)| is.then_some(gap)));

        let level = match self.state(now.at) {
            State::InGroup if self.silence == Silence::None => {
                let compared = self.code_compared.is_some() && self.order.locked;
                if compared { ShieldLevel::Compared } else { ShieldLevel::Unverified }
            }
            State::InGroup | State::CatchingUp { .. } => ShieldLevel::Doubtful,
            State::ComingIn
            | State::Connecting
            | State::Ended(_)
            | State::Failed(_)
            | State::Forked(_)
            | State::Founding
            | State::Knocking
            | State::ProvingHost
            | State::Refused(_)
            | State::Removed
            | State::Stranded { .. }
            | State::Suspended(_)
            | State::WaitingForHost => ShieldLevel::Stopped,
        };
        Shield { level, based_on, not_covered }
    }
}
