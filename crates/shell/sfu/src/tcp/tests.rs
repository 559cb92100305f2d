use std::net::Ipv4Addr;

use tokio::net::TcpSocket;

use super::*;
use crate::entrance::Entrance;

const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn listener() -> TcpListener {
    TcpListener::from_std(bind(LOCAL).unwrap()).unwrap()
}

/// A TCP side with one connection, and the client's end of it.
async fn connected(now: Instant) -> (Tcp, TcpStream) {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let mut tcp = Tcp::new(Some(listener), Entrance::new().1);
    let client = TcpStream::connect(address).await.unwrap();
    accept_next(&mut tcp, now).await;
    (tcp, client)
}

async fn accept_next(tcp: &mut Tcp, now: Instant) {
    let TcpTurn::Accepted(stream, source) = tcp.turn().await else { panic!("no connection") };
    tcp.accepted(now, stream, source);
}

/// Hands over a connection that came to another listener.
async fn hand_over(entrance: &Entrance, listener: &TcpListener, head: &[u8]) {
    let stream = listener.accept().await.unwrap().0.into_std().unwrap();
    assert!(entrance.hand_over(stream, head.to_vec()));
}

async fn take_arrival(tcp: &mut Tcp, now: Instant) {
    let TcpTurn::Arrived(arrival) = tcp.turn().await else { panic!("no arrival") };
    tcp.arrived(now, arrival);
}

#[tokio::test]
async fn a_connection_that_belongs_to_no_session_is_closed_whatever_comes_on_it() {
    let now = Instant::now();
    let (mut tcp, mut client) = connected(now).await;
    client.write_all(&[0, 1, 7]).await.unwrap();

    tcp.close_strangers(now + STRANGER_FOR / 2, |_| false);
    assert_eq!(tcp.connections(), 1);
    tcp.close_strangers(now + STRANGER_FOR, |_| false);
    assert_eq!(tcp.connections(), 0);

    // Closed with something unread, it may end with a reset.
    assert!(matches!(client.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_connection_stays_as_long_as_its_session() {
    let now = Instant::now();
    let (mut tcp, _client) = connected(now).await;

    tcp.close_strangers(now + STRANGER_FOR, |_| true);
    tcp.close_strangers(now + STRANGER_FOR + STRANGER_FOR / 2, |_| false);
    assert_eq!(tcp.connections(), 1);
}

#[tokio::test]
async fn the_late_end_of_a_connection_does_not_end_the_next_from_the_same_address() {
    let now = Instant::now();
    let (mut tcp, client) = connected(now).await;
    let source = client.local_addr().unwrap();

    assert!(!tcp.closed(source, 1), "another connection's number");
    assert_eq!(tcp.connections(), 1);
    assert!(tcp.closed(source, 0));
    assert_eq!(tcp.connections(), 0);
}

#[tokio::test]
async fn what_was_read_of_a_connection_elsewhere_is_its_beginning() {
    let (entrance, arrivals) = Entrance::new();
    let mut tcp = Tcp::new(None, arrivals);
    let elsewhere = listener();
    let mut client = TcpStream::connect(elsewhere.local_addr().unwrap()).await.unwrap();
    hand_over(&entrance, &elsewhere, &[0, 3, 7]).await;
    take_arrival(&mut tcp, Instant::now()).await;

    client.write_all(&[8, 9, 0, 1, 5]).await.unwrap();

    let mut received = Vec::new();
    while received.len() < 2 {
        let TcpTurn::Event(TcpEvent::Datagrams { source, destination, datagrams }) =
            tcp.turn().await
        else {
            panic!("the connection ended")
        };
        assert_eq!(source, client.local_addr().unwrap());
        assert_eq!(destination, elsewhere.local_addr().unwrap());
        received.extend(datagrams);
    }
    assert_eq!(received, [vec![7, 8, 9], vec![5]]);
}

#[tokio::test]
async fn two_clients_behind_one_address_and_port_do_not_end_each_other() {
    let now = Instant::now();
    let (entrance, arrivals) = Entrance::new();
    let (own, elsewhere) = (listener(), listener());
    let own_address = own.local_addr().unwrap();
    let mut tcp = Tcp::new(Some(own), arrivals);
    let mut first = connect_from(LOCAL, own_address).await;
    accept_next(&mut tcp, now).await;

    let from = first.local_addr().unwrap();
    let _second = connect_from(from, elsewhere.local_addr().unwrap()).await;
    hand_over(&entrance, &elsewhere, &[]).await;
    take_arrival(&mut tcp, now).await;

    assert_eq!((tcp.connections(), tcp.refused), (1, 1));
    first.write_all(&[0, 1, 5]).await.unwrap();
    assert!(matches!(tcp.turn().await, TcpTurn::Event(TcpEvent::Datagrams { .. })));
}

/// Connects from an address that other connections may have as well.
async fn connect_from(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(from).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn of_one_network_only_so_many_strangers_are_taken_in_but_more_who_are_known() {
    let now = Instant::now();
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let mut tcp = Tcp::new(Some(listener), Entrance::new().1);
    let mut clients = Vec::new();
    for _ in 0..=MAX_STRANGERS_PER_NETWORK {
        clients.push(TcpStream::connect(address).await.unwrap());
        accept_next(&mut tcp, now).await;
    }
    assert_eq!((tcp.connections(), tcp.refused), (MAX_STRANGERS_PER_NETWORK, 1));

    tcp.close_strangers(now, |_| true);
    clients.push(TcpStream::connect(address).await.unwrap());
    accept_next(&mut tcp, now).await;
    assert_eq!((tcp.connections(), tcp.refused), (MAX_STRANGERS_PER_NETWORK + 1, 1));
}

#[tokio::test]
async fn a_client_that_takes_nothing_does_not_hold_its_writer() {
    let (ours, _theirs) = tokio::io::duplex(8);
    let (sender, queue) = mpsc::channel(1);
    sender.send(vec![0; 100]).await.unwrap();

    let writing = write(ours, queue, Duration::from_millis(10), append_frame);
    timeout(SILENCE, writing).await.unwrap();
}

#[test]
fn addresses_of_one_ipv6_network_count_as_one() {
    let network = |text: &str| network_of(text.parse().unwrap());

    assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
    assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
    assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
}
