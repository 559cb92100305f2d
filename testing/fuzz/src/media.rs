//! Media that an admitted but hostile participant sends: header extensions, descriptors, numbers.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, MediaRequest, PublicationTrack, TilePriority, Want};
use conclave_model::{Mid, PublicationId, TrackSource};
use conclave_sfu_proto::{Input as NodeInput, Transport};
use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid as RtcMid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues, RtpWrite};
use str0m::{Candidate, Input, Output, Rtc};

use crate::node::{Rig, node_address, peer};

thread_local! {
    /// Handshakes cost more than most inputs: a call serves some before it is set up anew.
    static CALL: RefCell<Option<(Call, u32)>> = const { RefCell::new(None) };
}

const INPUTS_PER_CALL: u32 = 64;

/// The bytes are RTP packets. Each is six bytes of numbers and lengths, see [`Call::send`], then
/// a Dependency Descriptor, then a payload. Whatever is sent, who receives stays connected.
pub(crate) fn target(data: &[u8]) {
    CALL.with_borrow_mut(|slot| {
        // Taken out while it runs: a call in which something panicked is not used again.
        let (mut call, served) = match slot.take() {
            Some((call, served)) if served < INPUTS_PER_CALL && call.sender.rtc.is_alive() => {
                (call, served)
            }
            Some(_) | None => (Call::new(), 0),
        };
        call.send_all(data);
        assert!(call.receiver.rtc.is_connected(), "a receiver pays for what a sender did");
        assert_eq!(call.rig.node.stats().peers, 2);
        *slot = Some((call, served + 1));
    });
}

/// Two peers of a node; one sends whatever it is told, the other looks and listens.
struct Call {
    rig: Rig,
    sender: Client,
    receiver: Client,
    seqs: [u64; 4],
    timestamps: [u32; 4],
}

impl Call {
    fn new() -> Self {
        let mut rig = Rig::new();
        let sender = Client::new(1, Direction::SendOnly, &mut rig);
        let receiver = Client::new(2, Direction::RecvOnly, &mut rig);
        let mut call =
            Self { rig, sender, receiver, seqs: [1000; 4], timestamps: [u32::MAX - 9000; 4] };
        let track = |number, source, mid: RtcMid| PublicationTrack {
            publication: PublicationId(number),
            source,
            mid: Mid::new(&mid).expect("str0m's mids are ours"),
        };
        let tracks = vec![
            track(1, TrackSource::Camera, call.sender.video),
            track(2, TrackSource::Microphone, call.sender.audio),
        ];
        let wants = vec![Want {
            publication: PublicationId(1),
            width: 1280,
            height: 720,
            priority: TilePriority::Tile,
        }];
        for request in [
            MediaRequest::Publish { peer: peer(1), tracks },
            MediaRequest::View { peer: peer(2), wants },
        ] {
            call.rig.input(NodeInput::Request(request));
        }
        for _ in 0..100 {
            if call.sender.rtc.is_connected() && call.receiver.rtc.is_connected() {
                return call;
            }
            call.run(Duration::from_millis(50));
        }
        panic!("the peers do not connect");
    }

    fn send_all(&mut self, data: &[u8]) {
        let mut rest = data;
        while let Some((&head, after)) = rest.split_first_chunk::<6>() {
            rest = self.send(head, after);
        }
        self.run(Duration::from_millis(50));
    }

    /// Sends a packet, and returns what comes after it.
    ///
    /// The first byte says which stream, whether the packet ends a frame, whether it has a
    /// descriptor, whether time goes on and whether it is VP9; the next two how far number and timestamp jump; then
    /// the lengths of descriptor and payload, and the audio level.
    fn send<'a>(&mut self, head: [u8; 6], rest: &'a [u8]) -> &'a [u8] {
        let [flags, seq_jump, time_jump, descriptor_len, payload_len, level] = head;
        let (descriptor, rest) = rest.split_at(usize::from(descriptor_len).min(rest.len()));
        let (payload, rest) = rest.split_at(usize::from(payload_len).min(rest.len()));

        let stream = usize::from(flags & 3);
        let (Some(seq), Some(timestamp)) =
            (self.seqs.get_mut(stream), self.timestamps.get_mut(stream))
        else {
            return rest;
        };
        // Squares: mostly small steps, and now and then a leap over thousands.
        *seq += 1 + u64::from(seq_jump / 64) * u64::from(seq_jump).pow(2);
        *timestamp = timestamp.wrapping_add(u32::from(time_jump).pow(4));
        let mut extensions = ExtensionValues {
            audio_level: Some(-i8::try_from(level & 0x7f).unwrap_or_default()),
            voice_activity: Some(level & 0x80 != 0),
            ..ExtensionValues::default()
        };
        if flags & 8 != 0 {
            extensions.user_values.set(Descriptor(descriptor.to_vec()));
        }
        let now = self.rig.now;
        let (seq, timestamp) = (*seq, *timestamp);
        let packet = |pt| {
            RtpWrite::new(pt, seq.into(), timestamp, now, payload.to_vec())
                .marker(flags & 4 != 0)
                .nackable(true)
                .ext_vals(extensions)
        };
        self.sender.write(stream, flags & 32 != 0, packet);
        self.run(Duration::from_millis(if flags & 16 == 0 { 1 } else { 30 }));
        rest
    }

    fn run(&mut self, span: Duration) {
        let end = self.rig.now + span;
        loop {
            self.exchange();
            let due =
                self.rig.deadline.min(self.sender.deadline).min(self.receiver.deadline).min(end);
            self.rig.run(due.saturating_duration_since(self.rig.now));
            if due >= end {
                self.exchange();
                return;
            }
            // Never the same instant twice, whatever a deadline says.
            self.rig.run(Duration::from_micros(100));
            for client in [&mut self.sender, &mut self.receiver] {
                client.handle(Input::Timeout(self.rig.now));
            }
        }
    }

    /// Carries datagrams both ways until there are none.
    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            for transmit in std::mem::take(&mut self.rig.transmits) {
                for client in [&mut self.sender, &mut self.receiver] {
                    if client.address == transmit.destination {
                        client.receive(self.rig.now, &transmit.bytes);
                        quiet = false;
                    }
                }
            }
            for client in [&mut self.sender, &mut self.receiver] {
                for bytes in client.drain() {
                    self.rig.datagram(Transport::Udp, client.address, &bytes);
                    quiet = false;
                }
            }
            if quiet {
                return;
            }
        }
    }
}

/// A peer that is told every packet it sends.
struct Client {
    rtc: Rtc,
    address: SocketAddr,
    audio: RtcMid,
    video: RtcMid,
    deadline: Instant,
}

const RIDS: [&str; 3] = ["q", "h", "f"];

impl Client {
    /// Makes one and lets it negotiate.
    fn new(number: u8, direction: Direction, rig: &mut Rig) -> Self {
        let mut map = ExtensionMap::standard();
        map.set(12, Extension::with_serializer(URI, DescriptorSerializer));
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .enable_vp9(true)
            .set_rtp_mode(true)
            .set_extension_map(map)
            .build(rig.now);
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, number), 4000));
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a host address"));

        let mut api = rtc.sdp_api();
        let simulcast = (direction == Direction::SendOnly).then(|| {
            let mut simulcast = Simulcast::new();
            RIDS.iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
            simulcast
        });
        let audio = api.add_media(MediaKind::Audio, direction, None, None, None);
        let video = api.add_media(MediaKind::Video, direction, None, None, simulcast);
        let (offer, pending) = api.apply().expect("media to offer");
        rig.offer(number.into(), 1, &offer.to_sdp_string());
        let answer = rig.events.drain(..).find_map(|event| match event {
            MediaEvent::Answer { sdp, .. } => Some(sdp),
            MediaEvent::Connected { .. }
            | MediaEvent::Demand { .. }
            | MediaEvent::Disconnected { .. }
            | MediaEvent::OfferRefused { .. }
            | MediaEvent::Quality { .. }
            | MediaEvent::Slots { .. }
            | MediaEvent::Speakers { .. } => None,
        });
        let answer = SdpAnswer::from_sdp_string(&answer.expect("an answer")).expect("an answer");
        rtc.sdp_api().accept_answer(pending, answer).expect("the answer fits");
        Self { rtc, address, audio, video, deadline: rig.now }
    }

    /// Sends on a simulcast layer, or sound on the stream above them.
    fn write(&mut self, stream: usize, vp9: bool, packet: impl FnOnce(Pt) -> RtpWrite) {
        let rid = RIDS.get(stream).map(|rid| Rid::from(*rid));
        let mid = if rid.is_some() { self.video } else { self.audio };
        let pts = self.rtc.media(mid).map(|media| media.remote_pts().to_vec()).unwrap_or_default();
        let is_vp9 = |pt: &&Pt| {
            let mut params = self.rtc.codec_config().params().iter();
            params.any(|params| params.pt() == **pt && params.spec().codec == Codec::Vp9)
        };
        let pt = pts.iter().find(|pt| rid.is_none() || is_vp9(pt) == vp9).copied();
        let mut api = self.rtc.direct_api();
        if let (Some(pt), Some(tx)) = (pt, api.stream_tx_by_mid(mid, rid)) {
            tx.write_rtp(packet(pt));
        }
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if let Ok(receive) = Receive::new(Protocol::Udp, node_address(), self.address, bytes) {
            self.handle(Input::Receive(now, receive));
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        if self.rtc.is_alive() {
            // An error ends this client; whether that may be is for the target to say.
            let _ = self.rtc.handle_input(input);
        }
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut transmits = Vec::new();
        while self.rtc.is_alive() {
            match self.rtc.poll_output() {
                Err(_) => break,
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(at)) => {
                    self.deadline = at;
                    break;
                }
                Ok(Output::Transmit(transmit)) => transmits.push(transmit.contents.to_vec()),
            }
        }
        transmits
    }
}

const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

#[derive(Clone, Debug)]
struct Descriptor(Vec<u8>);

/// Sends any bytes as a Dependency Descriptor.
#[derive(Debug)]
struct DescriptorSerializer;

impl ExtensionSerializer for DescriptorSerializer {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(Descriptor(bytes)) = ev.user_values.get::<Descriptor>() else { return 0 };
        let Some(target) = buf.get_mut(..bytes.len()) else { return 0 };
        target.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.user_values.set(Descriptor(buf.to_vec()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, ev: &ExtensionValues) -> bool {
        ev.user_values.get::<Descriptor>().is_some_and(|d| d.0.is_empty() || d.0.len() > 16)
    }
}

/// A target that reaches nothing finds nothing.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_reach_the_receiver() {
        let seeds: [(&str, &[u8]); 5] = [
            ("vp8", include_bytes!("../corpus/media/vp8")),
            ("vp8-descriptors", include_bytes!("../corpus/media/vp8-descriptors")),
            ("vp9", include_bytes!("../corpus/media/vp9")),
            ("vp9-descriptors", include_bytes!("../corpus/media/vp9-descriptors")),
            ("sound", include_bytes!("../corpus/media/sound")),
        ];
        for (name, seed) in seeds {
            let mut call = Call::new();
            call.send_all(seed);
            let stats = call.rig.node.stats();
            assert!(stats.packets_forwarded >= 4, "{name}: {stats:?}");
        }
    }
}
