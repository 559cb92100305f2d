//! What is done to a bystander's call.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One manner of abuse, or of being a bad neighbour.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Case {
    /// Random bytes from many addresses.
    Garbage,
    /// ICE checks for sessions that do not exist, from many addresses.
    ChecksForNobody,
    /// ICE checks for the bystander's session with a wrong password, from many addresses.
    ForgedChecks,
    /// DTLS handshakes begun from many addresses that no session is at.
    HellosOfStrangers,
    /// DTLS handshakes begun from the bystander's own address.
    HellosInTheirName,
    /// Packets with the bystander's SSRC that nobody's keys have sealed, from many addresses.
    ForgedMedia,
    /// The attacker's own packets, again and again.
    ReplayedMedia,
    /// The attacker's own packets, cut off.
    TruncatedMedia,
    /// The attacker's own packets with as large header extensions as a datagram can hold.
    LargeExtensions,
    /// A receiver in another call that claims to miss everything.
    LossElsewhere,
    /// A receiver in another call that invents reports of when packets arrived.
    ReportsElsewhere,
    /// A receiver in another call that asks for nothing but key frames.
    KeyframesElsewhere,
    /// TURN with a credential: permissions, channels and data for addresses that are not ours.
    TurnScan,
    /// TURN without a credential that holds, from many addresses.
    TurnStrangers,
    /// A receiver in the same call that never reads its socket.
    NeverReads,
    /// A receiver in the same call that claims to miss everything.
    LossHere,
    /// A receiver in the same call that invents reports of when packets arrived.
    ReportsHere,
    /// A receiver in the same call that asks for nothing but key frames.
    KeyframesHere,
}

/// Where somebody is who has a session: it decides what is forwarded to them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// In a call of their own.
    Elsewhere,
    /// In the bystander's call.
    Here,
    /// In none.
    Nowhere,
}

/// How much later attackers may make a bystander's packets, at the 99th percentile.
const ATTACKERS_BOUND: Duration = Duration::from_millis(20);

/// The same of somebody who is in the same call.
const NEIGHBOURS_BOUND: Duration = Duration::from_millis(2);

impl Case {
    /// All of them, in the order of the report.
    pub(super) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What is done, for people.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Garbage => "garbage from many addresses",
            Self::ChecksForNobody => "ICE checks for unknown sessions",
            Self::ForgedChecks => "ICE checks with a wrong password",
            Self::HellosOfStrangers => "DTLS hellos from many addresses",
            Self::HellosInTheirName => "DTLS hellos from the bystander's address",
            Self::ForgedMedia => "forged SRTP with the bystander's SSRC",
            Self::ReplayedMedia => "replayed SRTP",
            Self::TruncatedMedia => "truncated SRTP",
            Self::LargeExtensions => "RTP with huge header extensions",
            Self::LossElsewhere => "false loss, another call",
            Self::ReportsElsewhere => "invented TWCC reports, another call",
            Self::KeyframesElsewhere => "PLI and FIR, another call",
            Self::TurnScan => "TURN to addresses that are not ours",
            Self::TurnStrangers => "TURN with wrong credentials",
            Self::NeverReads => "neighbour never reads",
            Self::LossHere => "neighbour floods NACKs",
            Self::ReportsHere => "neighbour invents TWCC reports",
            Self::KeyframesHere => "neighbour floods PLIs and FIRs",
        }
    }

    /// Where the attacker's session is.
    pub(super) const fn place(self) -> Place {
        match self {
            Self::LossElsewhere
            | Self::ReportsElsewhere
            | Self::KeyframesElsewhere
            | Self::ReplayedMedia
            | Self::TruncatedMedia
            | Self::LargeExtensions => Place::Elsewhere,
            Self::NeverReads | Self::LossHere | Self::ReportsHere | Self::KeyframesHere => {
                Place::Here
            }
            Self::Garbage
            | Self::ChecksForNobody
            | Self::ForgedChecks
            | Self::HellosOfStrangers
            | Self::HellosInTheirName
            | Self::ForgedMedia
            | Self::TurnScan
            | Self::TurnStrangers => Place::Nowhere,
        }
    }

    /// Datagrams that are sent in a second unless it is asked for otherwise. Where each is sealed,
    /// there are fewer.
    pub(super) const fn rate(self) -> u32 {
        match self {
            Self::NeverReads => 0,
            Self::LossElsewhere
            | Self::ReportsElsewhere
            | Self::KeyframesElsewhere
            | Self::LossHere
            | Self::ReportsHere
            | Self::KeyframesHere
            | Self::ReplayedMedia
            | Self::TruncatedMedia
            | Self::LargeExtensions => 10_000,
            Self::Garbage
            | Self::ChecksForNobody
            | Self::ForgedChecks
            | Self::HellosOfStrangers
            | Self::HellosInTheirName
            | Self::ForgedMedia
            | Self::TurnScan
            | Self::TurnStrangers => 20_000,
        }
    }

    /// How much later the bystander's packets may come, at the 99th percentile.
    pub(super) const fn bound(self) -> Duration {
        match self.place() {
            Place::Here => NEIGHBOURS_BOUND,
            Place::Elsewhere | Place::Nowhere => ATTACKERS_BOUND,
        }
    }
}
