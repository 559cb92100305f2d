//! Any publisher over any network: what the receiver must be able to rely on.

use super::*;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The publisher sends a frame on each layer.
    Frame {
        /// It is a key frame, on each layer.
        key: bool,
        /// How many packets it has on each layer.
        packets: u8,
        /// Padding follows it on each layer.
        padding: bool,
        /// Decides the fate of each packet.
        fate: u64,
    },
    /// The subscriber gets another publication, which is chosen on the layer.
    Restart(u8),
    /// Another layer is chosen, or none.
    Target(Option<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let frame = (prop::bool::weighted(0.15), 1..6u8, prop::bool::weighted(0.2), any::<u64>());
    let step = prop_oneof![
        12 => frame.prop_map(|(key, packets, padding, fate)| {
            Step::Frame { key, packets, padding, fate }
        }),
        2 => prop::option::weighted(0.9, 0..3u8).prop_map(Step::Target),
        1 => (0..3u8).prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..150)
}

/// A packet on its way, with what only the test knows.
#[derive(Clone, Copy, Debug)]
struct Sent {
    packet: PacketIn,
    /// Counts publications.
    publication: u32,
    /// Counts the frames of a publication.
    frame: u64,
    key: bool,
    /// When it arrives, as a step and a place in it.
    due: (usize, u64),
}

/// One simulcast layer of a publisher.
struct LayerSource {
    seq: u64,
    timestamp: u32,
    picture_id: u16,
    tl0_pic_idx: u8,
    frame_number: u16,
}

impl LayerSource {
    /// Numbers that begin anywhere, close to where they wrap if `seed` says so.
    fn new(seed: u64) -> Self {
        let near_wrap = seed.is_multiple_of(3);
        Self {
            seq: if near_wrap { 65_500 } else { seed % 65_536 },
            timestamp: if near_wrap { u32::MAX - 20_000 } else { (seed >> 16) as u32 },
            picture_id: if near_wrap { 0x7ff8 } else { (seed >> 24) as u16 & 0x7fff },
            tl0_pic_idx: (seed >> 40) as u8,
            frame_number: (seed >> 44) as u16,
        }
    }

    fn next_packet(&mut self, now: Instant, layer: u8) -> PacketIn {
        self.seq += 1;
        PacketIn {
            now,
            layer: LayerId(layer),
            seq: self.seq,
            timestamp: self.timestamp,
            payload_len: 1000,
            starts_keyframe: false,
            ids: Some(PictureIds {
                picture_id: Some(self.picture_id),
                tl0_pic_idx: Some(self.tl0_pic_idx),
            }),
            frame_number: Some(self.frame_number),
        }
    }

    fn next_frame(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(3000);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        self.frame_number = self.frame_number.wrapping_add(3);
    }
}

/// A packet that went out.
#[derive(Clone, Copy, Debug)]
struct Out {
    sent: Sent,
    out: PacketOut,
    /// Counts the switches.
    segment: usize,
}

/// Runs the script and returns what went out, in the order it did.
fn run(steps: &[Step], first_seq: u16) -> Vec<Out> {
    let start = origin();
    let mut rewriter = Rewriter::new(RATE, first_seq);
    let mut publication = 0;
    let mut sources: Vec<_> = (0..3).map(LayerSource::new).collect();
    let mut under_way: Vec<Sent> = Vec::new();
    let mut outs: Vec<Out> = Vec::new();
    let mut segment = 0;

    for (i, &step) in steps.iter().enumerate() {
        let now = start + Duration::from_millis(33) * u32::try_from(i).unwrap();
        match step {
            Step::Target(target) => rewriter.set_target(target.map(LayerId)),
            Step::Restart(target) => {
                publication += 1;
                let seed = u64::from(publication).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                sources =
                    (0..3).map(|layer| LayerSource::new(seed.rotate_left(layer * 7))).collect();
                under_way.clear();
                rewriter.restart();
                rewriter.set_target(Some(LayerId(target)));
            }
            Step::Frame { key, packets, padding, fate } => {
                let mut fate = fate;
                for (layer, source) in (0..).zip(&mut sources) {
                    source.next_frame();
                    for n in 0..packets + u8::from(padding) {
                        let mut packet = source.next_packet(now, layer);
                        packet.starts_keyframe = key && n == 0;
                        if n == packets {
                            packet.payload_len = 0;
                        }
                        fate = fate.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let (luck, place) = ((fate >> 33) % 100, fate >> 40);
                        let sent = |due| Sent { packet, publication, frame: i as u64, key, due };
                        match luck {
                            // Lost.
                            0..8 => {}
                            // Late.
                            8..16 => under_way.push(sent((i + 1 + (luck % 3) as usize, place))),
                            // Twice.
                            16..20 => {
                                under_way.push(sent((i, u64::from(n))));
                                under_way.push(sent((i + 1, place)));
                            }
                            _ => under_way.push(sent((i, u64::from(n)))),
                        }
                    }
                }
            }
        }

        under_way.sort_by_key(|sent| sent.due);
        while under_way.first().is_some_and(|sent| sent.due.0 <= i) {
            let mut sent = under_way.remove(0);
            sent.packet.now = now;
            if let Verdict::Forward(out) = rewriter.rewrite(&sent.packet) {
                segment += usize::from(out.switched);
                outs.push(Out { sent, out, segment });
            }
        }
    }
    outs
}

fn check_segments(outs: &[Out]) -> Result<(), TestCaseError> {
    for pair in outs.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        prop_assert!(a.out.seq < b.out.seq, "number {} went out twice", a.out.seq);
        prop_assert!(a.segment <= b.segment, "a layer reaches into the next one's numbers");
        if a.segment == b.segment {
            let (gone_in, gone_out) =
                (b.sent.packet.seq - a.sent.packet.seq, b.out.seq - a.out.seq);
            prop_assert_eq!(a.sent.packet.layer, b.sent.packet.layer);
            prop_assert_eq!(a.sent.publication, b.sent.publication);
            prop_assert!(gone_out <= gone_in, "a gap has grown");
            if a.sent.frame == b.sent.frame {
                prop_assert_eq!(gone_in, gone_out, "a gap within a frame was closed");
            }
        } else {
            prop_assert_eq!(b.out.seq, a.out.seq + 1, "a seam shows");
        }
    }
    Ok(())
}

fn check_keyframes(outs: &[Out]) -> Result<(), TestCaseError> {
    for group in outs.chunk_by(|a, b| a.segment == b.segment) {
        let first = &group[0];
        prop_assert!(first.out.switched && first.sent.packet.starts_keyframe);
        for out in group {
            let decodable = out.sent.frame > first.sent.frame || out.sent.key;
            prop_assert!(decodable, "a delta frame from before the key frame");
        }
    }
    Ok(())
}

fn check_frames(outs: &[Out]) -> Result<(), TestCaseError> {
    for pair in outs.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let same_frame = a.segment == b.segment && a.sent.frame == b.sent.frame;
        let ticks = b.out.timestamp.wrapping_sub(a.out.timestamp).cast_signed();
        let (ids_a, ids_b) = (a.out.ids.unwrap(), b.out.ids.unwrap());
        let pictures =
            ids_b.picture_id.unwrap().wrapping_sub(ids_a.picture_id.unwrap()) & PICTURE_ID_MASK;
        let bases = ids_b.tl0_pic_idx.unwrap().wrapping_sub(ids_a.tl0_pic_idx.unwrap());
        let numbers = b.out.frame_number.unwrap().wrapping_sub(a.out.frame_number.unwrap());
        if same_frame {
            prop_assert_eq!((ticks, pictures, bases, numbers), (0, 0, 0, 0));
        } else if a.segment == b.segment {
            let (a, b) = (&a.sent.packet, &b.sent.packet);
            prop_assert_eq!(ticks, b.timestamp.wrapping_sub(a.timestamp).cast_signed());
            prop_assert!(ticks > 0);
            prop_assert_eq!(numbers, pictures * 3);
            prop_assert_eq!(u16::from(bases), pictures % 256);
        } else {
            prop_assert!(ticks > 0, "the stream goes back in time");
            prop_assert_eq!((pictures, bases, numbers), (1, 1, 1));
        }
    }
    Ok(())
}

proptest! {
    /// Whatever is lost, late or doubled, whichever layers are chosen when: sequence numbers are
    /// those of one stream, nothing goes out that cannot be decoded, and time goes forward.
    #[test]
    fn any_script_makes_one_stream(steps in steps(), first_seq in any::<u16>()) {
        let mut outs = run(&steps, first_seq);
        if let Some(first) = outs.first() {
            prop_assert_eq!(first.out.seq, u64::from(first_seq));
        }
        outs.sort_by_key(|out| out.out.seq);
        check_segments(&outs)?;
        check_keyframes(&outs)?;
        check_frames(&outs)?;
    }
}
