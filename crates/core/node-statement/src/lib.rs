//! A media node's signed word on where media goes.
//!
//! The server makes a [`Statement`] of each SDP answer and signs it with its node key; a client
//! [verifies](verify) it against the meeting's constitution and the very answer before it sends
//! media. So a server cannot send a client's media to a node that the meeting does not allow
//! without breaking its own word, which the client keeps it to.

use conclave_commit_rules::Constitution;
use conclave_model::MeetingId;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

/// How long a statement is good for at most: a call's longest unbroken path to its node.
pub const MAX_VALIDITY_S: u64 = 24 * 3600;

/// How far a client's clock may be behind the node's.
const CLOCK_SKEW_S: u64 = 3600;

/// The longest text that is read.
const MAX_LEN: usize = 16 << 10;

/// Keeps the node key from signing anything else that means something.
const CONTEXT: &[u8] = b"conclave/1 node statement";

/// Where a media session goes.
///
/// Its text is JSON in exactly one form: the fields in this order, without white space.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Statement {
    version: u16,
    meeting: MeetingId,
    /// The DTLS certificate's fingerprint (RFC 8122) as in SDP: `sha-256 AB:CD:…`.
    fingerprint: String,
    /// Transport, address and port of each candidate: `udp 192.0.2.1 10000`; and each way to the
    /// TURN server at the host of the pages: `relay udp 3478`.
    addresses: Vec<String>,
    /// The country the node is in, if its operator says.
    jurisdiction: Option<String>,
    /// When it ends, in seconds since 1970.
    expires: u64,
}

impl Statement {
    const VERSION: u16 = 1;

    /// States what an SDP answer says, and by which ways media may be relayed to the node (`udp
    /// 3478`). `None` if the answer names no fingerprint, or several.
    pub fn of_answer(
        sdp: &str,
        relay: &[String],
        meeting: MeetingId,
        jurisdiction: Option<String>,
        expires: u64,
    ) -> Option<Self> {
        let fingerprint = the_one(fingerprints(sdp))?.to_owned();
        let mut addresses = addresses(sdp)?;
        addresses.extend(relay.iter().map(|way| stated_way(way)));
        addresses.sort_unstable();
        addresses.dedup();
        Some(Self {
            version: Self::VERSION,
            meeting,
            fingerprint,
            addresses,
            jurisdiction,
            expires,
        })
    }

    /// Its text.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a node key signs of a statement's text.
pub fn signed_bytes(text: &str) -> Vec<u8> {
    [CONTEXT, text.as_bytes()].concat()
}

/// Verifies that an SDP answer leads to where the meeting's constitution allows, and that the ways
/// in `relay`, by which media may be relayed, are the node's.
///
/// # Errors
///
/// No media is to be sent.
pub fn verify(
    text: &str,
    signature: &[u8],
    sdp: &str,
    relay: &[String],
    constitution: &Constitution,
    now_unix_s: u64,
) -> Result<(), Fault> {
    let statement = parse(text)?;
    let key = VerifyingKey::from_bytes(&constitution.node_key).map_err(|_| Fault::Signature)?;
    let signature = Signature::from_slice(signature).map_err(|_| Fault::Signature)?;
    key.verify_strict(&signed_bytes(text), &signature).map_err(|_| Fault::Signature)?;
    if statement.meeting.as_bytes() != &constitution.meeting {
        return Err(Fault::Meeting);
    }
    let latest = now_unix_s.saturating_add(MAX_VALIDITY_S + CLOCK_SKEW_S);
    if statement.expires < now_unix_s || statement.expires > latest {
        return Err(Fault::Expired);
    }
    let allowed = &constitution.jurisdictions;
    let is_allowed = |country: &String| {
        allowed.iter().any(|jurisdiction| String::from(*jurisdiction) == *country)
    };
    if !allowed.is_empty() && !statement.jurisdiction.as_ref().is_some_and(is_allowed) {
        return Err(Fault::Jurisdiction);
    }
    if the_one(fingerprints(sdp)) != Some(statement.fingerprint.as_str()) {
        return Err(Fault::Fingerprint);
    }
    let mut addresses = addresses(sdp).ok_or(Fault::Address)?;
    addresses.extend(relay.iter().map(|way| stated_way(way)));
    if addresses.iter().all(|address| statement.addresses.contains(address)) {
        Ok(())
    } else {
        Err(Fault::Address)
    }
}

fn parse(text: &str) -> Result<Statement, Fault> {
    if text.len() > MAX_LEN {
        return Err(Fault::Format);
    }
    let statement: Statement = serde_json::from_str(text).map_err(|_| Fault::Format)?;
    let one_form = statement.version == Statement::VERSION && statement.encode() == text;
    if one_form { Ok(statement) } else { Err(Fault::Format) }
}

/// The one value that all of them have.
fn the_one<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// An attribute's values, at session level and of every medium. Browsers take attribute names as
/// they are written, and lines that end in CR LF or LF.
fn attributes<'a>(sdp: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    sdp.split(['\n', '\r']).filter_map(move |line| line.strip_prefix("a=")?.strip_prefix(name))
}

fn fingerprints(sdp: &str) -> impl Iterator<Item = &str> {
    attributes(sdp, "fingerprint:").map(str::trim)
}

/// A way to the TURN server, as a statement has it. No candidate has such a transport.
fn stated_way(way: &str) -> String {
    format!("relay {way}")
}

/// `None` if a candidate (RFC 8839 section 5.1) cannot be read.
fn addresses(sdp: &str) -> Option<Vec<String>> {
    let address = |candidate: &str| {
        let mut parts = candidate.split_ascii_whitespace();
        let (_foundation, _component) = (parts.next()?, parts.next()?);
        let transport = parts.next()?.to_ascii_lowercase();
        let _priority = parts.next()?;
        Some(format!("{transport} {} {}", parts.next()?, parts.next()?))
    };
    attributes(sdp, "candidate:").map(address).collect()
}

/// Why a statement is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The session description, or what relays media, has other addresses than it.
    #[error("the media node's addresses are not the ones it stated")]
    Address,
    /// It has expired, or its time is far ahead.
    #[error("the media node's statement has expired")]
    Expired,
    /// The session description names other keys than it.
    #[error("the media node's certificate is not the one it stated")]
    Fingerprint,
    /// It is not in its one form.
    #[error("the media node's statement cannot be read")]
    Format,
    /// The node is outside the meeting's jurisdictions.
    #[error("the media node is outside the meeting's jurisdictions")]
    Jurisdiction,
    /// It is another meeting's.
    #[error("the media node's statement is another meeting's")]
    Meeting,
    /// Its signature is not by the constitution's node key.
    #[error("the media node is not one that the meeting's policy names")]
    Signature,
}

#[cfg(test)]
mod tests {
    use conclave_commit_rules::{Classification, Jurisdiction, Mode, SUITE_DEFAULT};
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const MEETING: [u8; 16] = [7; 16];
    const NOW: u64 = 1_800_000_000;
    const SDP: &str = "v=0\r\na=fingerprint:sha-256 AB:CD\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=candidate:1 1 UDP 2130706431 192.0.2.1 10000 typ host\r\n\
        a=candidate:2 1 tcp 1671430143 192.0.2.1 10001 typ host tcptype passive\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=fingerprint:sha-256 AB:CD\r\n";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    fn constitution(jurisdictions: &[&str]) -> Constitution {
        Constitution {
            version: Constitution::VERSION,
            meeting: MEETING,
            suite: SUITE_DEFAULT,
            mode: Mode::Lobby,
            join_before_host: false,
            host_key: [0; 32],
            issuers: Vec::new(),
            guests: true,
            node_key: key().verifying_key().to_bytes(),
            jurisdictions: jurisdictions
                .iter()
                .map(|country| Jurisdiction::try_from((*country).to_owned()).unwrap())
                .collect(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 100,
        }
    }

    fn stated(jurisdiction: Option<&str>, expires: u64) -> (String, Vec<u8>) {
        let meeting = MeetingId::from_bytes(MEETING);
        let statement =
            Statement::of_answer(SDP, &relay(), meeting, jurisdiction.map(str::to_owned), expires)
                .unwrap();
        let text = statement.encode();
        let signature = key().sign(&signed_bytes(&text)).to_bytes().to_vec();
        (text, signature)
    }

    fn relay() -> Vec<String> {
        ["tls 443", "udp 3478"].map(str::to_owned).to_vec()
    }

    fn judge(stated: &(String, Vec<u8>), sdp: &str, jurisdictions: &[&str]) -> Result<(), Fault> {
        verify(&stated.0, &stated.1, sdp, &[], &constitution(jurisdictions), NOW)
    }

    #[test]
    fn the_node_that_the_constitution_names_is_accepted() {
        assert_eq!(judge(&stated(None, NOW + 60), SDP, &[]), Ok(()));
        assert_eq!(judge(&stated(Some("TW"), NOW + 60), SDP, &["DE", "TW"]), Ok(()));
    }

    #[test]
    fn another_country_or_none_is_not() {
        assert_eq!(judge(&stated(Some("CN"), NOW + 60), SDP, &["TW"]), Err(Fault::Jurisdiction));
        assert_eq!(judge(&stated(None, NOW + 60), SDP, &["TW"]), Err(Fault::Jurisdiction));
    }

    #[test]
    fn another_certificate_or_a_second_one_is_not() {
        let good = stated(None, NOW + 60);
        let other = SDP.replace("AB:CD", "AB:CE");
        assert_eq!(judge(&good, &other, &[]), Err(Fault::Fingerprint));
        let second = SDP.replacen("AB:CD", "AB:CE", 1);
        assert_eq!(judge(&good, &second, &[]), Err(Fault::Fingerprint));
        let none = SDP.replace("a=fingerprint", "a=fingerprints");
        assert_eq!(judge(&good, &none, &[]), Err(Fault::Fingerprint));
    }

    #[test]
    fn an_address_that_was_not_stated_is_not() {
        let good = stated(None, NOW + 60);
        for (from, to) in [("192.0.2.1 10000", "198.51.100.1 10000"), ("10001", "10002")] {
            assert_eq!(judge(&good, &SDP.replace(from, to), &[]), Err(Fault::Address));
        }
        assert_eq!(judge(&good, &SDP.replace("typ host\r", "\r"), &[]), Ok(()), "same address");
        assert_eq!(judge(&good, &format!("{SDP}a=candidate:3 1\r\n"), &[]), Err(Fault::Address));
    }

    #[test]
    fn a_way_of_relaying_that_was_not_stated_is_not() {
        let (text, signature) = stated(None, NOW + 60);
        let judge = |ways: &[&str]| {
            let ways: Vec<String> = ways.iter().map(|way| (*way).to_owned()).collect();
            verify(&text, &signature, SDP, &ways, &constitution(&[]), NOW)
        };

        assert_eq!(judge(&["udp 3478", "tls 443"]), Ok(()));
        assert_eq!(judge(&["udp 3478", "tcp 3478"]), Err(Fault::Address));
        assert_eq!(judge(&["192.0.2.1 10000"]), Err(Fault::Address), "a candidate is no such way");
    }

    #[test]
    fn time_meeting_signature_and_form_count() {
        assert_eq!(judge(&stated(None, NOW - 1), SDP, &[]), Err(Fault::Expired));
        let far = NOW + MAX_VALIDITY_S + CLOCK_SKEW_S + 1;
        assert_eq!(judge(&stated(None, far), SDP, &[]), Err(Fault::Expired));

        let (text, signature) = stated(None, NOW + 60);
        let other = Constitution { meeting: [8; 16], ..constitution(&[]) };
        assert_eq!(verify(&text, &signature, SDP, &[], &other, NOW), Err(Fault::Meeting));
        let forged = (text.replace("10000", "10009"), signature.clone());
        assert_eq!(judge(&forged, SDP, &[]), Err(Fault::Signature));
        let spaced = (text.replace(':', ": "), signature);
        assert_eq!(judge(&spaced, SDP, &[]), Err(Fault::Format));
        assert_eq!(judge(&("{}".to_owned(), Vec::new()), SDP, &[]), Err(Fault::Format));
    }
}
