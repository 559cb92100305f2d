//! Offers and answers: what of an offer is looked at before a session sees it, and how a session
//! is configured.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use conclave_model::{Bitrate, MediaKind, Mid};
use str0m::change::SdpOffer;
use str0m::config::DtlsCert;
use str0m::format::{Codec, FormatParams};
use str0m::media::Frequency;
use str0m::net::TcpType;
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};

use crate::answer;
use crate::config::{Limits, NodeConfig};
use crate::dependency;
use crate::dtls;
use crate::guard::{self, Panicked};

/// How often a session reports loss and round-trip time.
const STATS_INTERVAL: Duration = Duration::from_secs(2);

/// How often sound is reported on, as often as pictures are: an encoder is to hear soon of loss that
/// it can prepare for, and with the reports the round trip is measured after which to ask again.
const SOUND_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The id with which the Dependency Descriptor would be offered; the client's offer decides.
const DESCRIPTOR_ID: u8 = 12;

/// The payload types with which VP9 and its retransmissions would be offered; the client's offer
/// decides.
const VP9: u8 = 98;
const VP9_RESENT: u8 = 99;

/// Lines in one section of an offer. Browsers that know many codecs write some hundreds.
const MAX_SECTION_LINES: usize = 1024;

/// Candidates in one offer. The node waits for the client's checks and needs none; a machine with
/// many interfaces states some dozens.
const MAX_CANDIDATES: usize = 128;

/// Lines about SSRCs in one offer. A browser writes four for each of a track's two streams.
const MAX_SSRC_LINES: usize = 512;

/// The header extensions that a node reads or writes. Not the absolute send time: bandwidth is estimated
/// from transport-wide feedback, and each packet would be four bytes larger.
fn extensions(descriptor: Extension) -> ExtensionMap {
    let mut extensions = ExtensionMap::empty();
    extensions.set(1, Extension::AudioLevel);
    extensions.set(3, Extension::TransportSequenceNumber);
    extensions.set(4, Extension::RtpMid);
    extensions.set(10, Extension::RtpStreamId);
    extensions.set(11, Extension::RepairedRtpStreamId);
    extensions.set(13, Extension::VideoOrientation);
    extensions.set(DESCRIPTOR_ID, descriptor);
    extensions
}

/// How every session of a node is set up.
pub(crate) fn rtc_config(cert: Option<DtlsCert>, initial_estimate: Bitrate) -> RtcConfig {
    let descriptor = Extension::with_serializer(dependency::URI, dependency::DescriptorSerializer);
    let mut config = RtcConfig::new()
        .set_crypto_provider(dtls::crypto_provider())
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .set_extension_map(extensions(descriptor))
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .enable_bwe(Some(str0m::bwe::Bitrate::bps(initial_estimate.as_bps())))
        .set_stats_interval(Some(STATS_INTERVAL))
        .set_rtcp_report_interval_audio(SOUND_REPORT_INTERVAL);
    // Not `enable_vp9`: that takes profile 2 as well, which not every browser decodes.
    let format = FormatParams { profile_id: Some(0), ..FormatParams::default() };
    let clock = Frequency::NINETY_KHZ;
    let (pt, resent) = (VP9.into(), Some(VP9_RESENT.into()));
    config.codec_config().add_config(pt, resent, Codec::Vp9, clock, None, format);
    for sound in config.codec_config().iter_mut().filter(|params| params.spec().codec.is_audio()) {
        sound.set_fb_nack(true);
    }
    match cert {
        Some(cert) => config.set_dtls_cert(cert),
        None => config,
    }
}

/// What a node's addresses are in ICE: UDP first, passive TCP (RFC 6544) for who cannot. Of each
/// kind, those that come first are preferred.
pub(crate) fn candidates(config: &NodeConfig) -> Vec<Candidate> {
    let udp = config.udp.iter().map(|addr| Candidate::builder().udp().host(*addr).build());
    let tcp = config
        .tcp
        .iter()
        .map(|addr| Candidate::builder().tcp().host(*addr).tcptype(TcpType::Passive).build());
    let usable = udp.chain(tcp).filter_map(|candidate| match candidate {
        Ok(candidate) => Some(candidate),
        Err(error) => {
            tracing::warn!(%error, "an address cannot be advertised");
            None
        }
    });
    usable.collect()
}

/// What the node looks at in an offer, and compares the next one with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct OfferSummary {
    sections: Vec<Section>,
    fingerprints: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Section {
    kind: Option<MediaKind>,
    mid: String,
    receives: bool,
    sends: bool,
}

impl OfferSummary {
    /// Reads what the node looks at. Says nothing about whether the rest is well-formed.
    pub(crate) fn read(sdp: &str, limits: &Limits) -> Result<Self, OfferError> {
        let lines = |start: &str| sdp.lines().filter(|line| line.starts_with(start)).count();
        if lines("a=candidate:") > MAX_CANDIDATES || lines("a=ssrc:") > MAX_SSRC_LINES {
            return Err(OfferError::TooManyLines);
        }
        let mut summary = Self::default();
        let mut section_lines = 0;
        for line in sdp.lines() {
            section_lines = if line.starts_with("m=") { 1 } else { section_lines + 1 };
            if section_lines > MAX_SECTION_LINES {
                return Err(OfferError::TooManyLines);
            }
            if let Some(fingerprint) = line.strip_prefix("a=fingerprint:") {
                summary.fingerprints.insert(fingerprint.trim().to_ascii_lowercase());
            }
            if let Some(media) = line.strip_prefix("m=") {
                let kind = match media.split(' ').next() {
                    Some("audio") => Some(MediaKind::Audio),
                    Some("video") => Some(MediaKind::Video),
                    _ => None,
                };
                let mid = String::new();
                summary.sections.push(Section { kind, mid, receives: true, sends: true });
                continue;
            }
            let Some(section) = summary.sections.last_mut() else { continue };
            match line.trim_end() {
                "a=inactive" => (section.receives, section.sends) = (false, false),
                "a=recvonly" => section.sends = false,
                "a=sendonly" => section.receives = false,
                line => {
                    if let Some(mid) = line.strip_prefix("a=mid:") {
                        mid.clone_into(&mut section.mid);
                    }
                }
            }
        }
        summary.check(limits)?;
        Ok(summary)
    }

    /// The names of the media sections, in their order.
    pub(crate) fn mids(&self) -> impl Iterator<Item = Mid> + '_ {
        self.sections.iter().filter_map(|section| Mid::new(&section.mid))
    }

    fn check(&self, limits: &Limits) -> Result<(), OfferError> {
        let mut mids = BTreeSet::new();
        for section in &self.sections {
            // str0m knows letters and digits only, and takes anything else for an underscore.
            let valid = Mid::new(&section.mid).is_some()
                && !section.mid.contains('-')
                && mids.insert(section.mid.as_str());
            if !valid {
                return Err(OfferError::Mid { mid: section.mid.clone() });
            }
        }
        let count =
            |wanted: fn(&Section) -> bool| self.sections.iter().filter(|s| wanted(s)).count();
        let media = self.sections.iter().filter(|section| section.kind.is_some()).count();
        let audio = count(|s| s.kind == Some(MediaKind::Audio) && s.receives && !s.sends);
        let video = count(|s| s.kind == Some(MediaKind::Video) && s.receives && !s.sends);
        let too_many = audio > limits.audio_slots
            || video > limits.video_slots
            || media > limits.audio_slots + limits.video_slots + limits.publications
            || self.sections.len() > media + 1;
        if too_many {
            return Err(OfferError::TooManySections { sections: self.sections.len() });
        }
        Ok(())
    }

    /// Whether `next` can renegotiate the session that this offer set up: the same device, and
    /// no section gone or moved.
    pub(crate) fn check_renegotiation(&self, next: &Self) -> Result<(), OfferError> {
        if self.fingerprints != next.fingerprints {
            return Err(OfferError::FingerprintChanged);
        }
        let same = |(a, b): (&Section, &Section)| a.mid == b.mid && a.kind == b.kind;
        let kept = self.sections.len() <= next.sections.len()
            && self.sections.iter().zip(&next.sections).all(same);
        if !kept {
            return Err(OfferError::SectionsChanged);
        }
        Ok(())
    }
}

/// Gives the offer to a session and returns the answer.
///
/// On an error the session may be half changed; try on one that can be thrown away first.
pub(crate) fn accept(rtc: &mut Rtc, sdp: &str) -> Result<String, OfferError> {
    let answer = guard::call(|| {
        let offer = SdpOffer::from_sdp_string(sdp)
            .map_err(|error| OfferError::Malformed { detail: error.to_string() })?;
        rtc.sdp_api()
            .accept_offer(offer)
            .map_err(|error| OfferError::Unusable { detail: error.to_string() })
    });
    match answer {
        Ok(answer) => Ok(answer::finished(sdp, &answer?.to_sdp_string())),
        Err(Panicked) => Err(OfferError::Unsupported),
    }
}

/// Gives the offer to a session that is then thrown away.
pub(crate) fn rehearse(config: &RtcConfig, sdp: &str, now: Instant) -> Result<(), OfferError> {
    accept(&mut config.clone().build(now), sdp).map(drop)
}

/// Why an offer cannot be used. The client is at fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum OfferError {
    /// The offer is from another device than the session; offer a new generation.
    #[error("the offer has other fingerprints than the session: use a new generation")]
    FingerprintChanged,
    /// It is not a session description.
    #[error("not a session description: {detail}")]
    Malformed {
        /// The parser's words.
        detail: String,
    },
    /// A media section has no usable name.
    #[error(
        "a media section has the mid {mid:?}: not 1 to 16 letters, digits or '_', or not unique"
    )]
    Mid {
        /// Its name.
        mid: String,
    },
    /// The node is full.
    #[error("this node has as many sessions as it takes")]
    NodeFull,
    /// A section of the session is missing or elsewhere; offer a new generation.
    #[error("a media section of the session is missing or has moved: use a new generation")]
    SectionsChanged,
    /// The session has failed; offer a new generation.
    #[error("the session is no more: use a new generation")]
    SessionGone,
    /// It has more lines, candidates or SSRCs than any client of ours: each costs memory, or time.
    #[error("more lines, candidates or SSRCs than are allowed")]
    TooManyLines,
    /// It has more sections than the node allows.
    #[error("{sections} media sections are more than are allowed")]
    TooManySections {
        /// How many it has.
        sections: usize,
    },
    /// It uses something that the node cannot handle.
    #[error("the session description uses something that is not supported")]
    Unsupported,
    /// It is well-formed, but no session can be made of it.
    #[error("no session can be made of it: {detail}")]
    Unusable {
        /// The cause.
        detail: String,
    },
}
