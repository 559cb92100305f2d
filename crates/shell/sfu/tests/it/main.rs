//! A shard on real sockets, and real str0m clients.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else than it expects shall fail"
)]

mod client;
mod turn;

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{CallId, Mid, ParticipantId, PublicationId, TrackSource};
use conclave_sfu::{Plane, Shard, ShardConfig, ShardHandle};
use conclave_turn_proto::{binding_request, mapped_address};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;

use client::{Client, Link};

const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> ShardHandle {
    start_at(SocketAddr::from(([0, 0, 0, 0], 0)))
}

fn start_at(any: SocketAddr) -> ShardHandle {
    Shard::spawn(&ShardConfig { udp: any, tcp: Some(any), ..ShardConfig::default() }).unwrap()
}

fn peer(participant: u32) -> PeerId {
    PeerId { call: CallId(1), participant: ParticipantId(participant) }
}

/// Joins a client that publishes a camera and shows the other's.
async fn join(shard: &mut ShardHandle, id: u32, link: Link) -> Client {
    join_as(&shard.requests, &mut shard.events, peer(id), link).await.0
}

/// Joins a client, and returns the answer to its offer as well.
async fn join_as(
    requests: &mpsc::Sender<MediaRequest>,
    events: &mut mpsc::Receiver<MediaEvent>,
    peer: PeerId,
    link: Link,
) -> (Client, String) {
    let id = peer.participant.0;
    let mut client = Client::new(link, id as u8);
    let offer = client.offer();
    let request = MediaRequest::Offer { peer, generation: 1, sdp: offer };
    requests.send(request).await.unwrap();
    let answer = loop {
        match timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
            MediaEvent::Answer { peer: p, sdp, .. } if p == peer => break sdp,
            MediaEvent::OfferRefused { detail, .. } => panic!("refused: {detail}"),
            _ => {}
        }
    };
    client.accept(&answer);
    let track = PublicationTrack {
        publication: PublicationId(id),
        source: TrackSource::Camera,
        mid: Mid::new(&client.camera()).unwrap(),
    };
    let asked = [
        MediaRequest::Publish { peer, tracks: vec![track] },
        MediaRequest::View {
            peer,
            wants: vec![Want {
                publication: PublicationId(3 - id),
                width: 320,
                height: 180,
                priority: TilePriority::Tile,
            }],
        },
    ];
    for request in asked {
        requests.send(request).await.unwrap();
    }
    (client, answer)
}

async fn udp(shard: &ShardHandle) -> Link {
    let ip = shard.udp.first().unwrap().ip();
    Link::Udp(UdpSocket::bind(SocketAddr::new(ip, 0)).await.unwrap())
}

async fn tcp(shard: &ShardHandle) -> Link {
    Link::Tcp(TcpStream::connect(shard.tcp.first().unwrap()).await.unwrap())
}

/// The one UDP port that an answer names.
fn told_port(answer: &str) -> u16 {
    let candidates = answer.lines().filter(|line| line.contains(" udp "));
    let mut ports: Vec<_> = candidates.map(|line| line.split(' ').nth(5).unwrap()).collect();
    ports.dedup();
    let [port] = ports[..] else { panic!("one port of {ports:?}") };
    port.parse().unwrap()
}

/// Runs both clients until each has seen enough of the other.
async fn watch_each_other(a: &mut Client, b: &mut Client) {
    let enough = async {
        while a.frames_from(2) < 30 || b.frames_from(1) < 30 {
            tokio::join!(a.run(Duration::from_millis(50)), b.run(Duration::from_millis(50)));
        }
    };
    timeout(PATIENCE, enough).await.expect("media in both directions");
}

#[tokio::test]
async fn two_clients_see_each_other_over_udp() {
    let mut shard = start();
    let (link_a, link_b) = (udp(&shard).await, udp(&shard).await);
    let mut a = join(&mut shard, 1, link_a).await;
    let mut b = join(&mut shard, 2, link_b).await;
    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join(), "the shard ends as it should");
}

#[tokio::test]
async fn a_client_without_udp_gets_through_over_tcp() {
    let mut shard = start();
    let (link_a, link_b) = (udp(&shard).await, tcp(&shard).await);
    let mut a = join(&mut shard, 1, link_a).await;
    let mut b = join(&mut shard, 2, link_b).await;
    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join());
}

#[tokio::test]
async fn calls_work_where_there_is_ipv6_alone_over_udp_and_over_tcp() {
    let mut shard = start_at((Ipv6Addr::LOCALHOST, 0).into());
    let (link_a, link_b) = (udp(&shard).await, tcp(&shard).await);
    let mut a = join(&mut shard, 1, link_a).await;
    let mut b = join(&mut shard, 2, link_b).await;
    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join());
}

#[tokio::test]
async fn a_client_that_came_to_another_listener_is_handed_over_and_gets_through() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut shard = Shard::spawn(&ShardConfig {
        udp: any,
        tcp: Some(any),
        shared_tcp: Some(address),
        ..ShardConfig::default()
    })
    .unwrap();
    assert_eq!(shard.tcp.last(), Some(&address), "told last: the own port is preferred");
    let entrance = shard.entrance.clone().unwrap();
    tokio::spawn(async move {
        let mut stream = elsewhere.accept().await.unwrap().0;
        let mut head = [0; 10];
        stream.read_exact(&mut head).await.unwrap();
        assert!(entrance.hand_over(stream.into_std().unwrap(), head.to_vec()));
    });

    let link_a = udp(&shard).await;
    let link_b = Link::Tcp(TcpStream::connect(address).await.unwrap());
    let mut a = join(&mut shard, 1, link_a).await;
    let mut b = join(&mut shard, 2, link_b).await;
    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join());
}

#[tokio::test]
async fn each_call_is_on_a_shard_of_its_own_which_is_found_at_the_shared_port_too() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shared = elsewhere.local_addr().unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ShardConfig {
        udp: any,
        tcp: Some(any),
        shared_tcp: Some(shared),
        ..ShardConfig::default()
    };
    let mut plane = Plane::spawn(&config, NonZeroU16::new(2).unwrap()).unwrap();
    let entrance = plane.entrance.clone().unwrap();
    tokio::spawn(async move {
        loop {
            let mut stream = elsewhere.accept().await.unwrap().0;
            let mut head = [0; 10];
            stream.read_exact(&mut head).await.unwrap();
            assert!(entrance.hand_over(stream.into_std().unwrap(), head.to_vec()));
        }
    });

    let mut ports = Vec::new();
    for call in [1, 2] {
        let mut clients = Vec::new();
        for participant in [1, 2] {
            let peer = PeerId { call: CallId(call), participant: ParticipantId(participant) };
            let link = Link::Tcp(TcpStream::connect(shared).await.unwrap());
            let (client, answer) = join_as(&plane.requests, &mut plane.events, peer, link).await;
            ports.push(told_port(&answer));
            clients.push(client);
        }
        let [a, b] = &mut clients[..] else { panic!("two of them") };
        watch_each_other(a, b).await;
    }

    let [first, second] = [0, 1].map(|shard: usize| plane.addresses[shard].udp[0].port());
    assert_eq!(ports, [first, first, second, second]);
    for shard in plane.running {
        assert!(shard.join());
    }
}

#[tokio::test]
async fn in_a_large_call_people_on_different_shards_see_each_other() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ShardConfig { udp: any, tcp: None, ..ShardConfig::default() };
    let mut plane = Plane::spawn(&config, NonZeroU16::new(2).unwrap()).unwrap();
    let mut ports = Vec::new();
    let mut clients = Vec::new();
    for participant in [1, 2] {
        let link = Link::Udp(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let peer = peer(participant);
        let (client, answer) = join_as(&plane.requests, &mut plane.events, peer, link).await;
        ports.push(told_port(&answer));
        clients.push(client);
        // Others fill the first shard, though what they offer is of no use.
        for other in 100..199 {
            let sdp = String::new();
            let offer = MediaRequest::Offer { peer: self::peer(other), generation: 1, sdp };
            plane.requests.send(offer).await.unwrap();
            while !matches!(
                timeout(PATIENCE, plane.events.recv()).await.unwrap().unwrap(),
                MediaEvent::OfferRefused { .. }
            ) {}
        }
    }

    let [first, second] = [0, 1].map(|shard: usize| plane.addresses[shard].udp[0].port());
    assert_eq!(ports, [first, second]);
    let [a, b] = &mut clients[..] else { panic!("two of them") };
    watch_each_other(a, b).await;
    for shard in plane.running {
        assert!(shard.join());
    }
}

#[tokio::test]
async fn whoever_asks_is_answered_at_every_address_of_every_shard() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ShardConfig {
        udp: any,
        tcp: Some(any),
        shared_tcp: Some(elsewhere.local_addr().unwrap()),
        ..ShardConfig::default()
    };
    let plane = Plane::spawn(&config, NonZeroU16::new(2).unwrap()).unwrap();
    let entrance = plane.entrance.clone().unwrap();
    tokio::spawn(async move {
        loop {
            let stream = elsewhere.accept().await.unwrap().0;
            assert!(entrance.hand_over(stream.into_std().unwrap(), Vec::new()));
        }
    });
    let request = binding_request([3; 12]);
    let framed = [&[0, request.len() as u8], &request[..]].concat();

    let addresses = plane.addresses.iter();
    for udp in addresses.clone().flat_map(|shard| &shard.udp) {
        let asker = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        asker.send_to(&request, udp).await.unwrap();
        let mut answer = [0; 100];
        let received = timeout(PATIENCE, asker.recv_from(&mut answer)).await.unwrap();
        let (len, from) = received.unwrap();
        assert_eq!(from, *udp);
        assert_eq!(mapped_address([3; 12], &answer[..len]), asker.local_addr().ok());
    }
    for tcp in addresses.flat_map(|shard| &shard.tcp) {
        let mut asker = TcpStream::connect(tcp).await.unwrap();
        asker.write_all(&framed).await.unwrap();
        let mut answer = vec![0; asker.read_u16().await.unwrap().into()];
        asker.read_exact(&mut answer).await.unwrap();
        assert_eq!(mapped_address([3; 12], &answer), asker.local_addr().ok());
    }
    for shard in plane.running {
        assert!(shard.join());
    }
}

#[tokio::test]
async fn garbage_on_both_ports_disturbs_nobody() {
    let mut shard = start();
    let (link_a, link_b) = (udp(&shard).await, udp(&shard).await);
    let mut a = join(&mut shard, 1, link_a).await;
    let mut b = join(&mut shard, 2, link_b).await;

    let stranger = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let target = *shard.udp.first().unwrap();
    for len in 0..1500usize {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 31 + len) as u8).collect();
        stranger.send_to(&bytes, target).await.unwrap();
    }
    let mut connection = TcpStream::connect(shard.tcp.first().unwrap()).await.unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();

    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join());
}

#[tokio::test]
async fn a_shard_ends_when_nobody_can_ask_anything_of_it() {
    let ShardHandle { requests, mut events, running, .. } = start();
    drop(requests);
    assert!(timeout(PATIENCE, events.recv()).await.unwrap().is_none());
    assert!(running.join());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_says_so() {
    let shard = start();
    let taken = *shard.udp.first().unwrap();
    let config = ShardConfig { udp: taken, tcp: None, ..ShardConfig::default() };
    let error = Shard::spawn(&config).unwrap_err();
    assert!(error.to_string().contains("UDP"), "{error}");
}
