//! What a browser's page and the worker that holds the keys say to each other of the group. None of
//! it goes over the network.

use conclave_model::ParticipantId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the person wants of the group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum GroupCommand {
    /// Let someone in who knocks.
    Admit {
        /// Their knock.
        knocker: ParticipantId,
    },
    /// Give someone a role; guest takes it away.
    Appoint {
        /// Whose credential.
        credential: String,
        /// Any but host.
        role: MemberRole,
    },
    /// The safety code was read aloud and was the same.
    CodeCompared,
    /// Turn someone away who knocks.
    Deny {
        /// Their knock.
        knocker: ParticipantId,
    },
    /// Remove someone.
    Kick {
        /// Whose credential.
        credential: String,
    },
    /// Leave the group.
    Leave,
    /// Let nobody in, or let people in again.
    Lock {
        /// Which.
        locked: bool,
    },
    /// Forbid someone to send something, or allow it again.
    Mute {
        /// Whose credential.
        credential: String,
        /// What.
        what: MuteWhat,
        /// Forbidden.
        on: bool,
    },
    /// Come in anew, as a new leaf, after a failure, a fork or a refusal.
    Rejoin,
    /// Say something to all.
    Say {
        /// What.
        say: SayWhat,
    },
}

/// What a person says to all members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SayWhat {
    /// Asks people to switch their microphones off: one person, or all.
    AskMute {
        /// Whose credential; all if none.
        credential: Option<String>,
    },
    /// A text.
    Chat {
        /// At most 4096 bytes.
        text: String,
    },
    /// A hand up, or down.
    Hand {
        /// Up.
        up: bool,
    },
    /// A sign that passes.
    Reaction {
        /// Which.
        reaction: Reaction,
    },
}

/// A sign that passes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Reaction {
    /// Clapping hands.
    Clap,
    /// A heart.
    Heart,
    /// Laughter.
    Laugh,
    /// Surprise.
    Surprise,
    /// A thumb down.
    ThumbDown,
    /// A thumb up.
    ThumbUp,
}

/// What a member may do, lowest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum MemberRole {
    /// Takes part.
    Guest,
    /// May share a screen where not all may.
    Presenter,
    /// Lets people in, and removes those of lower roles.
    Admitter,
    /// Also locks, mutes, and appoints lower roles.
    CoHost,
    /// Decides everything that the constitution leaves open.
    Host,
}

/// What a member may be forbidden to send.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum MuteWhat {
    /// A face.
    Camera,
    /// Text.
    Chat,
    /// A voice.
    Microphone,
    /// A screen.
    Screen,
}

/// Something that happened in the group, to be told once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GroupEvent {
    /// What the person wanted is not done.
    NotDone {
        /// Why.
        why: NotDoneReason,
    },
    /// Someone else said something.
    Said {
        /// Who and what.
        said: Said,
    },
    /// Something to warn of.
    Warning {
        /// Of what.
        kind: WarningKind,
        /// The leaf that it is about, where it is about one.
        leaf: Option<u32>,
    },
}

/// Something that a member said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Whose credential.
    pub credential: String,
    /// Their leaf.
    pub leaf: u32,
    /// Their name, as it is in their leaf.
    pub name: String,
    /// Their role now.
    pub role: MemberRole,
    /// What.
    pub say: SayWhat,
}

/// Why a wish is not done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum NotDoneReason {
    /// Not in the group, or sending has stopped.
    NotNow,
    /// The meeting's rules do not allow it.
    Refused,
    /// The text is too long, empty, or not text.
    Text,
    /// Who is meant is not there.
    Unknown,
    /// The change could not be made.
    Unmade,
}

/// What to warn of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum WarningKind {
    /// The server shows two commits for one epoch.
    Conflict,
    /// A message came twice or out of order, and was dropped.
    Replayed,
    /// Three heartbeats are missing of all who must send them.
    Silence,
    /// Heartbeats are there again.
    SilenceOver,
    /// The server does not order this device's commit.
    Stalled,
    /// Messages of a member are missing.
    Suppressed,
    /// The server tried what it may not do.
    ServerOverreach,
    /// The server holds a commit back, or is late with it.
    Withheld,
}

/// The group as this device has it: whole, after each change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Where this device is.
    pub state: MemberState,
    /// This device's leaf.
    pub own_leaf: Option<u32>,
    /// This device's credential, 16 bytes in base64url: after a reload, a host removes the leaf
    /// that it left.
    pub own_credential: Option<String>,
    /// The epoch.
    #[ts(type = "number | null")]
    pub epoch: Option<u64>,
    /// The members by leaf, as the group's tree has them: this device too.
    pub people: Vec<Person>,
    /// What hosts decided.
    pub order: GroupOrder,
    /// Who asks to come in; empty but for those who may let people in.
    pub knocks: Vec<KnockView>,
    /// What people read to each other: six groups of five digits with a space between.
    pub safety_code: Option<String>,
    /// What can be said of the call's protection.
    pub shield: ShieldView,
}

/// Where this device is. Each way in which verification fails is one of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum MemberState {
    /// In the group, but a commit is missing.
    CatchingUp,
    /// An external commit was sent.
    ComingIn,
    /// The server's description of the meeting is awaited.
    Connecting,
    /// The request to come in was turned away.
    Denied,
    /// This device's own keys could not be made.
    FailedDevice,
    /// This device's host key is not the meeting's.
    FailedHostKey,
    /// What the server handed out for coming in is not valid.
    FailedInvitation,
    /// Someone in the group has a broken identity.
    FailedMember,
    /// Who invited does not know the link's secret, or may not invite.
    FailedInviter,
    /// The policy is not the one that the link names, or cannot be read.
    FailedPolicy,
    /// Others have a different history: the meeting is split. Nothing is sent.
    Forked,
    /// A group was founded; the server's word is awaited.
    Founding,
    /// In the group.
    InGroup,
    /// An admitter must let this device in.
    Knocking,
    /// This device left.
    Left,
    /// The server says that the meeting is over.
    Over,
    /// The host key's signature is awaited.
    ProvingHost,
    /// A commit broke a rule. Nothing is sent.
    Refused,
    /// This device was removed.
    Removed,
    /// A commit cannot be processed. Nothing is sent.
    Stranded,
    /// Heartbeats are missing: the server may hold commits back. Nothing is sent.
    SuspendedSilence,
    /// The server does not hand out a commit that others have. Nothing is sent.
    SuspendedWithheld,
    /// There is no group yet, and a host must found it.
    WaitingForHost,
}

/// A member as the group's tree has them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their leaf.
    pub leaf: u32,
    /// Their credential: one device's one stay. 16 bytes in base64url.
    pub credential: String,
    /// Their name, sealed in their leaf.
    pub name: String,
    /// What they may do.
    pub role: MemberRole,
    /// How it was proved who they are.
    pub proof: PersonProof,
    /// Whether another member has the same name.
    pub name_shared: bool,
    /// They came while this device was there.
    pub arrived: bool,
    /// They are to go, and no commit has done it yet: they still have the keys.
    pub leaving: bool,
    /// It is this device.
    pub is_self: bool,
}

/// How it was proved who someone is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PersonProof {
    /// By the host key: it is who made the meeting.
    HostKey,
    /// Not at all: they hold the link, and the name is their own word.
    LinkOnly,
}

/// What hosts decided.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GroupOrder {
    /// Nobody comes in.
    pub locked: bool,
    /// Who may not send what.
    pub mutes: Vec<MutedMember>,
}

/// Who may not send what.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MutedMember {
    /// Whose credential.
    pub credential: String,
    /// What.
    pub what: MuteWhat,
}

/// A request to come in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KnockView {
    /// Whose knock.
    pub knocker: ParticipantId,
    /// The name that they give themselves.
    pub name: String,
    /// They proved to hold the host key.
    pub host_proven: bool,
    /// A member or another who knocks has the same name.
    pub name_shared: bool,
}

/// What can be said of the call's protection, and on what ground.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShieldView {
    /// In one word.
    pub level: ShieldLevel,
    /// What the word is based on.
    pub based_on: Vec<ShieldBasis>,
    /// What it does not cover.
    pub not_covered: Vec<ShieldGap>,
}

/// The call's protection in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ShieldLevel {
    /// Not in a group: nothing is sent, so nothing is protected.
    None,
    /// Encrypted from end to end, but some are in it under a name that is their own word.
    Unverified,
    /// Encrypted from end to end, and the safety code was compared in a locked meeting.
    Compared,
    /// Something speaks against it.
    Doubtful,
    /// Nothing is sent.
    Stopped,
}

/// What a shield is based on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ShieldBasis {
    /// The policy is the one whose digest is in the link.
    Constitution,
    /// How confidential the meeting is: open, internal, confidential or secret.
    Classification {
        /// Which.
        classification: String,
    },
    /// The safety code was compared.
    CodeCompared,
    /// Keys of this epoch, agreed on by this many devices and held by no other.
    GroupKeys {
        /// How many.
        members: u32,
    },
    /// Of the other members, so many were heard lately, in the same history.
    Heard {
        /// Heard.
        heard: u32,
        /// All others.
        others: u32,
    },
    /// So many proved to hold the host key.
    Hosts {
        /// How many.
        count: u32,
    },
    /// Each who came in proved to hold the link.
    LinkSecret,
}

/// What a shield does not cover.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ShieldGap {
    /// This program itself came from a server.
    ClientCode,
    /// The safety code was not compared since someone came in.
    CodeNotCompared,
    /// Machines that can hear may be let in.
    Gateways,
    /// A member together with the server can pass off frames as another member's.
    Insider,
    /// The server sees who talks to whom, when, from where and how much.
    Metadata,
    /// So many are in it under a name that is their own word.
    Unverified {
        /// How many.
        count: u32,
    },
    /// The server is told how loud each one is.
    VoiceLevel,
}

/// Why a media node's statement is not accepted: no media is sent to it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum NodeFault {
    /// It is not in its one form.
    Format,
    /// Its signature is not by the constitution's node key.
    Signature,
    /// It is another meeting's.
    Meeting,
    /// It has expired, or its time is far ahead.
    Expired,
    /// The node is outside the meeting's jurisdictions.
    Jurisdiction,
    /// The session description names other keys than it.
    Fingerprint,
    /// The session description, or what relays media, has other addresses than it.
    Address,
}
