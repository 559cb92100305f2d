//! The few words of STUN (RFC 8489) and TURN (RFC 8656 section 18) that are spoken here.

use std::net::SocketAddr;

use stun_types::attribute::{
    Attribute as _, AttributeStaticType as _, AttributeType, AttributeWrite, ErrorCode,
    Fingerprint, MessageIntegrity, MessageIntegritySha256, Nonce, RawAttribute, Realm, Software,
    Username, XorMappedAddress, XorSocketAddr,
};
use stun_types::data::Data;
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};

use crate::framing::MAX_PACKET;

pub(crate) const ALLOCATE: Method = Method::new(0x003);
pub(crate) const REFRESH: Method = Method::new(0x004);
pub(crate) const SEND: Method = Method::new(0x006);
pub(crate) const DATA: Method = Method::new(0x007);
pub(crate) const CREATE_PERMISSION: Method = Method::new(0x008);
pub(crate) const CHANNEL_BIND: Method = Method::new(0x009);

pub(crate) const CHANNEL_NUMBER: AttributeType = AttributeType::new(0x000c);
pub(crate) const LIFETIME: AttributeType = AttributeType::new(0x000d);
pub(crate) const XOR_PEER_ADDRESS: AttributeType = AttributeType::new(0x0012);
const DATA_ATTRIBUTE: AttributeType = AttributeType::new(0x0013);
pub(crate) const XOR_RELAYED_ADDRESS: AttributeType = AttributeType::new(0x0016);
pub(crate) const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType::new(0x0017);
pub(crate) const REQUESTED_TRANSPORT: AttributeType = AttributeType::new(0x0019);
const DONT_FRAGMENT: AttributeType = AttributeType::new(0x001a);
const UNKNOWN_ATTRIBUTES: AttributeType = AttributeType::new(0x000a);

/// UDP, as an IP packet names it: all that is relayed.
pub(crate) const UDP: u8 = 17;

/// Attributes that are understood, of those that must be. Nothing is ever fragmented on the way to
/// a node in the same process, so the wish that it be not is granted.
const UNDERSTOOD: &[AttributeType] = &[
    CHANNEL_NUMBER,
    DATA_ATTRIBUTE,
    DONT_FRAGMENT,
    Fingerprint::TYPE,
    LIFETIME,
    MessageIntegrity::TYPE,
    MessageIntegritySha256::TYPE,
    Nonce::TYPE,
    REQUESTED_ADDRESS_FAMILY,
    REQUESTED_TRANSPORT,
    Realm::TYPE,
    Software::TYPE,
    Username::TYPE,
    XOR_PEER_ADDRESS,
];

/// A message that fills `bytes` to the last one.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let said = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    let whole = bytes.len() <= MAX_PACKET && said % 4 == 0 && bytes.len() == 20 + said;
    whole.then(|| Message::from_bytes(bytes).ok()).flatten()
}

/// The attributes that must be understood and are not.
pub(crate) fn unknown(message: &Message<'_>) -> Vec<AttributeType> {
    let types = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    types.filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(kind)).collect()
}

pub(crate) fn has(message: &Message<'_>, kind: AttributeType) -> bool {
    message.raw_attribute(kind).is_some()
}

/// The first bytes of an attribute's value.
pub(crate) fn value<const N: usize>(message: &Message<'_>, kind: AttributeType) -> Option<[u8; N]> {
    message.raw_attribute(kind)?.value.first_chunk::<N>().copied()
}

pub(crate) fn address(message: &Message<'_>, kind: AttributeType) -> Option<SocketAddr> {
    let address = XorSocketAddr::from_raw(&message.raw_attribute(kind)?).ok()?;
    Some(address.addr(message.transaction_id()))
}

/// All peers that a message names; `None` if one of them cannot be read.
pub(crate) fn peers(message: &Message<'_>) -> Option<Vec<SocketAddr>> {
    let transaction = message.transaction_id();
    let named = message.iter_attributes().map(|(_, attribute)| attribute);
    named
        .filter(|attribute| attribute.get_type() == XOR_PEER_ADDRESS)
        .map(|attribute| Some(XorSocketAddr::from_raw(&attribute).ok()?.addr(transaction)))
        .collect()
}

/// What is to be sent, or was.
pub(crate) fn payload(message: &Message<'_>) -> Option<Vec<u8>> {
    match message.raw_attribute(DATA_ATTRIBUTE)?.value {
        Data::Borrowed(bytes) => Some(bytes.take().to_vec()),
        Data::Owned(bytes) => Some(bytes.take().into_vec()),
    }
}

/// A message that is being written.
#[derive(Debug)]
pub(crate) struct Draft {
    transaction: TransactionId,
    writer: MessageWriteVec,
}

impl Draft {
    pub(crate) fn new(class: MessageClass, method: Method, transaction: TransactionId) -> Self {
        let kind = MessageType::from_class_method(class, method);
        let writer = Message::builder(kind, transaction, MessageWriteVec::with_capacity(128));
        Self { transaction, writer }
    }

    /// Answers a request.
    pub(crate) fn answer(request: &Message<'_>, class: MessageClass) -> Self {
        Self::new(class, request.method(), request.transaction_id())
    }

    pub(crate) fn with(mut self, attribute: &dyn AttributeWrite) -> Self {
        // What does not fit or comes twice is left out; nothing that is written here is such.
        let _ = self.writer.add_attribute(attribute);
        self
    }

    /// An attribute with a value of a few bytes.
    pub(crate) fn with_value(self, kind: AttributeType, value: &[u8]) -> Self {
        self.with(&RawAttribute::new(kind, value))
    }

    pub(crate) fn with_address(self, kind: AttributeType, address: SocketAddr) -> Self {
        let address = XorSocketAddr::new(address, self.transaction);
        self.with(&address.to_raw(kind))
    }

    pub(crate) fn with_mapped(self, client: SocketAddr) -> Self {
        let mapped = XorMappedAddress::new(client, self.transaction);
        self.with(&mapped)
    }

    /// An error's code, without a word: a refusal is to be short.
    pub(crate) fn with_code(self, code: u16) -> Self {
        match ErrorCode::new(code, "") {
            Ok(code) => self.with(&code),
            Err(_out_of_range) => self,
        }
    }

    pub(crate) fn with_unknown(self, kinds: &[AttributeType]) -> Self {
        let kinds: Vec<u8> = kinds.iter().flat_map(|kind| kind.value().to_be_bytes()).collect();
        self.with_value(UNKNOWN_ATTRIBUTES, &kinds)
    }

    pub(crate) fn with_payload(self, payload: &[u8]) -> Self {
        self.with_value(DATA_ATTRIBUTE, payload)
    }

    /// The message with its integrity protected.
    pub(crate) fn sealed(mut self, key: &IntegrityKey) -> Vec<u8> {
        // As above: it is the only one.
        let _ = self.writer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
        self.open()
    }

    /// The message as it is.
    pub(crate) fn open(self) -> Vec<u8> {
        self.writer.finish()
    }
}

/// What a request is filled up with: a media node answers none that is shorter than the answer.
const FILLER: &str = "conclave, looking around";

/// Asks a server under which address it sees the sender, and so whether it is there (RFC 8489).
pub fn binding_request(transaction: [u8; 12]) -> Vec<u8> {
    let mut number = [0; 16];
    number.iter_mut().skip(4).zip(transaction).for_each(|(to, from)| *to = from);
    let transaction = TransactionId::from(u128::from_be_bytes(number));
    let draft = Draft::new(MessageClass::Request, BINDING, transaction);
    match Software::new(FILLER) {
        Ok(filler) => draft.with(&filler).open(),
        Err(_too_long) => draft.open(),
    }
}

/// The address that a server saw, if `bytes` answer [`binding_request`] with the same transaction.
pub fn mapped_address(transaction: [u8; 12], bytes: &[u8]) -> Option<SocketAddr> {
    let message = parse(bytes)?;
    let request = binding_request(transaction);
    let asked = parse(&request)?.transaction_id();
    let answers = message.class() == MessageClass::Success && message.transaction_id() == asked;
    let mapped = answers.then(|| message.attribute::<XorMappedAddress>().ok()).flatten()?;
    Some(mapped.addr(asked))
}
