//! What each manner of abuse sends.

mod lies;
mod media;
mod outside;
mod relayed;

use std::net::SocketAddr;

use anyhow::Context as _;

use super::case::Case;
use super::client::Client;
use super::flood::Weapon;
use crate::bench::media::control::Relay;

/// What an attacker may use.
pub(super) struct Surroundings<'a> {
    /// Where the server takes media.
    pub(super) server: SocketAddr,
    /// Its TURN server.
    pub(super) relay: Option<&'a Relay>,
    /// Who publishes in the bystander's call, and one who shows it.
    pub(super) publisher: &'a Client,
    pub(super) bystander: &'a Client,
    /// The attacker's own session, if it has one.
    pub(super) own: Option<&'a Client>,
}

impl<'a> Surroundings<'a> {
    fn own(&self) -> anyhow::Result<&'a Client> {
        self.own.context("the attacker has no session")
    }
}

/// Makes ready for an attack; nothing for one that consists in doing nothing.
pub(super) fn prepare(case: Case, around: &Surroundings<'_>) -> anyhow::Result<Option<Weapon>> {
    let weapon = match case {
        Case::Garbage => outside::garbage(around.server)?,
        Case::ChecksForNobody => outside::checks(around, "nobody")?,
        Case::ForgedChecks => outside::forged_checks(around)?,
        Case::HellosOfStrangers => outside::hellos(around)?,
        Case::HellosInTheirName => outside::hellos_in_their_name(around)?,
        Case::ForgedMedia => outside::forged_media(around)?,
        Case::ReplayedMedia => media::replayed(around.own()?)?,
        Case::TruncatedMedia => media::truncated(around.own()?)?,
        Case::LargeExtensions => media::large_extensions(around.own()?)?,
        Case::LossElsewhere | Case::LossHere => lies::loss(around.own()?)?,
        Case::ReportsElsewhere | Case::ReportsHere => lies::reports(around.own()?)?,
        Case::KeyframesElsewhere | Case::KeyframesHere => lies::keyframes(around.own()?)?,
        Case::TurnScan => relayed::scan(around)?,
        Case::TurnStrangers => relayed::strangers(around)?,
        Case::NeverReads => return Ok(None),
    };
    Ok(Some(weapon))
}
