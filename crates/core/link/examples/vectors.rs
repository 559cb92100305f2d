//! Writes the test vectors of links to standard output.
//!
//! `cargo run -p conclave-link --example vectors > crates/core/link/vectors.json`

use std::io::Write as _;

use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_link::{
    HostSeed, LinkKeys, LinkSecret, MeetingLink, PolicyDigest, Profile, clean_name,
};
use conclave_model::{MeetingId, SealedBlob};
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(vectors().as_bytes())
}

/// The whole file.
pub(crate) fn vectors() -> String {
    let cases = [
        ("https://localhost:8443", 0x00, 0x40, "Weekly planning", "Ada Lovelace"),
        ("https://meet.example.org", 0x9f, 0xc3, "", "Zoë 李小龍"),
        ("https://[::1]:9000", 0xff, 0xee, "審查會議: Prüfung d'été", "\"quoted\" \\ 👩‍👩‍👧"),
    ];
    let file = json!({
        "about": "Links, keys and sealed blobs. Bytes are lower-case hex; text in links, tokens and hashes is unpadded base64url.",
        "links": cases.map(|(origin, id, secret, title, name)| link(origin, id, secret, title, name)),
        "names": NAMES.map(|name| json!({ "input": name, "cleaned": clean_name(name) })),
        "rejected": REJECTED.map(|(link, part)| json!({ "link": link, "part": part })),
    });
    let mut text = serde_json::to_string_pretty(&file).expect("plain JSON");
    text.push('\n');
    text
}

/// One meeting: its inputs and all that follows from them.
fn link(origin: &str, id: u8, secret: u8, title: &str, name: &str) -> Value {
    let id: [u8; 16] = counting(id);
    let secret: [u8; 32] = counting(secret);
    let host = HostSeed::from_bytes(counting(0x20));
    let policy = constitution(id, &host).encode().expect("within bounds");
    let (title_nonce, profile_nonce): ([u8; 12], [u8; 12]) = (counting(0x10), counting(0xa0));
    let link = MeetingLink {
        origin: origin.parse().expect("an origin"),
        meeting: MeetingId::from_bytes(id),
        secret: LinkSecret::from_bytes(secret),
        policy_digest: PolicyDigest::of(&policy),
        host: Some(host.clone()),
    };
    let keys = LinkKeys::of(&link);
    let sealed_title = keys.meta.seal_title(title_nonce, title).expect("fits");
    let profile = Profile::new(name);
    let sealed_profile = keys.meta.seal_profile(profile_nonce, &profile).expect("fits");
    json!({
        "origin": origin,
        "meetingIdBytes": hex(&id),
        "secretBytes": hex(&secret),
        "hostSeedBytes": hex(host.as_bytes()),
        "hostKeyBytes": hex(&host.public_key()),
        "policy": policy,
        "policyDigestBytes": hex(link.policy_digest.as_bytes()),
        "link": link.for_guests().expose(),
        "hostLink": link.expose(),
        "tokenBytes": hex(keys.token.as_bytes()),
        "token": keys.token.expose(),
        "tokenHash": keys.token.hash(),
        "metaKeyBytes": hex(keys.meta.as_bytes()),
        "pskBytes": hex(keys.psk.as_bytes()),
        "title": title,
        "titleNonceBytes": hex(&title_nonce),
        "sealedTitle": String::from(sealed_title),
        "profileJson": serde_json::to_string(&profile).expect("plain JSON"),
        "name": profile.name(),
        "profileNonceBytes": hex(&profile_nonce),
        "sealedProfile": String::from(sealed_profile),
        "forgedProfile": String::from(forged(&keys)),
    })
}

/// What the meeting is founded on.
fn constitution(meeting: [u8; 16], host: &HostSeed) -> Constitution {
    Constitution {
        version: Constitution::VERSION,
        meeting,
        suite: SUITE_DEFAULT,
        mode: Mode::Lobby,
        join_before_host: false,
        host_key: host.public_key(),
        issuers: Vec::new(),
        guests: true,
        node_key: counting(0x60),
        jurisdictions: vec!["TW".to_owned().try_into().expect("two capitals")],
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: 1000,
    }
}

/// A title's blob passed off as a profile: must not open as one.
fn forged(keys: &LinkKeys) -> SealedBlob {
    keys.meta.seal_title(counting(0x77), r#"{"name":"Mallory"}"#).expect("fits")
}

/// Names as typed or received. What comes out is shown to others.
const NAMES: [&str; 9] = [
    "Ada",
    "  Ada  Lovelace\u{a0}\t ",
    "",
    " \u{feff} ",
    "two\nlines\r\n\u{2028}and\u{85} more\u{0}",
    "\u{202e}evil\u{2066}txt.exe\u{2069}\u{200f}\u{61c}",
    "李小龍 👩‍👩‍👧 Zoë",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
    "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀 😀",
];

/// Texts that are no links, and the part that is wrong.
const REJECTED: [(&str, &str); 17] = [
    ("", "origin"),
    ("hello", "origin"),
    ("https://localhost:8443/m/AAECAwQFBgcICQoLDA0ODw", "noFragment"),
    (
        "http://localhost:8443/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "origin",
    ),
    (
        "https:///m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "origin",
    ),
    (
        "https://user@localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "origin",
    ),
    (
        "https://localhost:0/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "origin",
    ),
    (
        "https://localhost/x/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "path",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0OD#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "meeting",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw/#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "meeting",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8",
        "fragment",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#2.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA",
        "version",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl.AAAAAAAAAAAAAAAAAAAAAA",
        "secret",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAA",
        "policyDigest",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA.x",
        "hostSeed",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA.",
        "hostSeed",
    ),
    (
        "https://localhost/m/AAECAwQFBgcICQoLDA0ODw#1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8.AAAAAAAAAAAAAAAAAAAAAA.ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8.x",
        "hostSeed",
    ),
];

/// `first`, `first + 1`, … wrapping around.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        let byte = next;
        next = next.wrapping_add(1);
        byte
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
