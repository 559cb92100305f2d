use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_sfu_proto::{Deframer, frame_header};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::turn::TurnLink;

/// How a client reaches the shard.
pub(crate) enum Link {
    Tcp(TcpStream),
    Turn(Box<TurnLink>),
    Udp(UdpSocket),
}

/// A str0m client that publishes a made-up camera and counts what it sees.
pub(crate) struct Client {
    rtc: Rtc,
    link: Link,
    local: SocketAddr,
    deframer: Deframer,
    camera: Option<Mid>,
    pending: Option<SdpPendingOffer>,
    mark: u8,
    seen: BTreeMap<u8, usize>,
    connected: bool,
    keyframe: bool,
    frame: u16,
}

impl Client {
    pub(crate) fn new(link: Link, mark: u8) -> Self {
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(Instant::now());
        let (local, candidate) = match &link {
            Link::Tcp(stream) => {
                let local = stream.local_addr().unwrap();
                let builder = Candidate::builder().tcp().host(local).tcptype(TcpType::Active);
                (local, builder.build())
            }
            Link::Turn(link) => {
                (link.relayed, Candidate::relayed(link.relayed, link.relayed, "udp"))
            }
            Link::Udp(socket) => {
                let local = socket.local_addr().unwrap();
                (local, Candidate::host(local, "udp"))
            }
        };
        rtc.add_local_candidate(candidate.unwrap());
        Self {
            rtc,
            link,
            local,
            deframer: Deframer::new(),
            camera: None,
            pending: None,
            mark,
            seen: BTreeMap::new(),
            connected: false,
            keyframe: true,
            frame: 0,
        }
    }

    pub(crate) fn offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        self.camera = Some(api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None));
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(crate) fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
    }

    pub(crate) fn camera(&self) -> String {
        self.camera.unwrap().to_string()
    }

    pub(crate) fn frames_from(&self, mark: u8) -> usize {
        self.seen.get(&mark).copied().unwrap_or_default()
    }

    /// Sends and receives for a while.
    pub(crate) async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.send_frame();
        while Instant::now() < end {
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            let due = self.drain().await.min(end);
            let mut buffer = vec![0; 4096];
            let received = tokio::select! {
                len = receive(&mut self.link, &mut buffer) => Some(len),
                () = tokio::time::sleep_until(due.into()) => None,
            };
            if let Some((len, from)) = received {
                self.take(from, &buffer[..len]).await;
            }
        }
    }

    async fn take(&mut self, from: SocketAddr, bytes: &[u8]) {
        let mut datagrams = Vec::new();
        let protocol = match self.link {
            Link::Tcp(_) => {
                self.deframer.feed(bytes, |datagram| datagrams.push(datagram.to_vec())).unwrap();
                Protocol::Tcp
            }
            Link::Turn(_) | Link::Udp(_) => {
                datagrams.push(bytes.to_vec());
                Protocol::Udp
            }
        };
        for datagram in datagrams {
            let receive = Receive::new(protocol, from, self.local, &datagram).unwrap();
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            self.drain().await;
        }
    }

    async fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.keyframe = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    if let Some(mark) = packet.payload.last() {
                        *self.seen.entry(*mark).or_default() += 1;
                    }
                }
                Output::Event(_) => {}
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => match &mut self.link {
                    Link::Tcp(stream) => {
                        let header = frame_header(&transmit.contents).unwrap();
                        let framed = [&header, &transmit.contents[..]].concat();
                        stream.write_all(&framed).await.unwrap();
                    }
                    Link::Turn(link) => link.send(transmit.destination, &transmit.contents).await,
                    Link::Udp(socket) => {
                        // A full buffer is a loss like any other.
                        let _ = socket.send_to(&transmit.contents, transmit.destination).await;
                    }
                },
            }
        }
    }

    fn send_frame(&mut self) {
        let Some(mid) = self.camera.filter(|_| self.connected) else { return };
        self.frame += 1;
        let delta = u8::from(!std::mem::take(&mut self.keyframe));
        let [high, low] = (0x8000 | self.frame).to_be_bytes();
        let mut payload = vec![0x90, 0x80, high, low, delta];
        payload.extend([0xaa; 500]);
        payload.push(self.mark);
        let pt = *self.rtc.media(mid).unwrap().remote_pts().first().unwrap();
        let timestamp = u32::from(self.frame) * 4500;
        let write =
            RtpWrite::new(pt, u64::from(self.frame).into(), timestamp, Instant::now(), payload)
                .marker(true)
                .nackable(true);
        self.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().write_rtp(write);
    }
}

async fn receive(link: &mut Link, buffer: &mut [u8]) -> (usize, SocketAddr) {
    match link {
        Link::Tcp(stream) => (stream.read(buffer).await.unwrap(), stream.peer_addr().unwrap()),
        Link::Turn(link) => link.receive(buffer).await,
        Link::Udp(socket) => socket.recv_from(buffer).await.unwrap(),
    }
}
