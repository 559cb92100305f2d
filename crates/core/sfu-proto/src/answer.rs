//! What an answer says beyond str0m's words.

/// The answer that goes to the client, from str0m's answer to its offer.
pub(crate) fn finished(offer: &str, answer: &str) -> String {
    with_dtx(&without_send_times(&in_offered_order(offer, answer)))
}

/// Header extensions that are different each time a packet is sent.
const SEND_TIMES: [&str; 3] = [
    "urn:ietf:params:rtp-hdrext:toffset",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
];

/// Takes from media sections on which the client sends sound the extensions that are different
/// each time a packet is sent. Browsers send a lost packet of sound again under the same SSRC and
/// sequence number: with another header, that would be two packets under one nonce of AES-GCM, and
/// give its authentication key away (RFC 7714 section 8.4).
fn without_send_times(answer: &str) -> String {
    let (mut head, mut sections) = (String::new(), Vec::<String>::new());
    for line in answer.split_inclusive('\n') {
        if line.starts_with("m=") {
            sections.push(String::new());
        }
        sections.last_mut().unwrap_or(&mut head).push_str(line);
    }
    for section in &mut sections {
        let takes_sound = section.starts_with("m=audio ")
            && section.lines().any(|line| matches!(line.trim_end(), "a=recvonly" | "a=sendrecv"));
        if takes_sound {
            let differs = |line: &str| SEND_TIMES.iter().any(|uri| line.trim_end().ends_with(uri));
            let kept = section.split_inclusive('\n').filter(|line| !differs(line));
            *section = kept.collect();
        }
    }
    head + &sections.concat()
}

/// Lists the codecs of each media section in the order of the offer, as RFC 3264 section 6.1 has
/// it: a browser sends in the first codec of the answer. str0m lists them in an order of its own.
fn in_offered_order(offer: &str, answer: &str) -> String {
    let mut offered = offer.lines().filter(|line| line.starts_with("m="));
    let mut text = String::with_capacity(answer.len());
    for line in answer.split_inclusive('\n') {
        let wish = if line.starts_with("m=") { offered.next() } else { None };
        match wish.and_then(|wish| reordered(wish, line)) {
            Some(line) => text.push_str(&line),
            None => text.push_str(line),
        }
    }
    text
}

/// The media line `line` with its payload types in the order of `wish`; those that it does not
/// list come last. `None` if it is not one about RTP.
fn reordered(wish: &str, line: &str) -> Option<String> {
    let (head, types) = payload_types(line)?;
    let (_, wished) = payload_types(wish)?;
    let mut types: Vec<&str> = types.collect();
    let wished: Vec<&str> = wished.collect();
    types.sort_by_key(|pt| wished.iter().position(|other| other == pt).unwrap_or(usize::MAX));
    Some(format!("{head} {}\r\n", types.join(" ")))
}

/// Parts a media line: kind, port and protocol, and the payload types (RFC 8866 section 5.14).
fn payload_types(line: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let line = line.trim_end();
    let (at, _) = line.match_indices(' ').nth(2)?;
    let (head, types) = line.split_at_checked(at)?;
    head.contains("RTP").then(|| (head, types.split_ascii_whitespace()))
}

/// Allows the client to send almost nothing while nobody speaks (RFC 7587 section 3.1.3), which
/// str0m does not say by itself.
fn with_dtx(answer: &str) -> String {
    let mut text = String::with_capacity(answer.len() + 64);
    for line in answer.split_inclusive('\n') {
        let opus = line.starts_with("a=fmtp:")
            && line.contains("useinbandfec=1")
            && !line.contains("usedtx");
        if opus {
            text.push_str(line.trim_end());
            text.push_str(";usedtx=1\r\n");
        } else {
            text.push_str(line);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lists_codecs_in_the_order_of_the_offer() {
        let offer = "v=0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        let answer = "v=0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\na=mid:1\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        let finished = finished(offer, answer);
        assert_eq!(
            finished.lines().collect::<Vec<_>>(),
            [
                "v=0",
                "m=audio 9 UDP/TLS/RTP/SAVPF 111",
                "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97",
                "a=mid:1",
                "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            ]
        );
        assert!(finished.ends_with("\r\n"));
    }

    #[test]
    fn sound_that_the_client_sends_has_no_header_that_differs_when_it_is_sent_again() {
        let [_, twcc, sent_at] = SEND_TIMES;
        let section = |kind: &str, direction: &str| {
            format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF 111\r\na=extmap:1 urn:level\r\n\
                a=extmap:2 {sent_at}\r\na=extmap:3 {twcc}\r\na={direction}\r\n"
            )
        };
        for (kind, direction, keeps) in [
            ("audio", "recvonly", false),
            ("audio", "sendonly", true),
            ("audio", "inactive", true),
            ("video", "recvonly", true),
        ] {
            let text =
                format!("v=0\r\n{}{}", section("video", "sendonly"), section(kind, direction));
            let stripped = without_send_times(&text);
            assert_eq!(stripped == text, keeps, "{kind} {direction}");
            assert_eq!(stripped.matches("urn:level").count(), 2);
            assert_eq!(stripped.matches(twcc).count(), 1 + usize::from(keeps));
        }
    }

    #[test]
    fn a_payload_type_that_was_not_offered_stays_behind_the_others() {
        let offer = "m=video 9 UDP/TLS/RTP/SAVPF 120 98\r\n";
        let answer = "m=video 9 UDP/TLS/RTP/SAVPF 35 98 120\r\n";
        assert_eq!(finished(offer, answer), "m=video 9 UDP/TLS/RTP/SAVPF 120 98 35\r\n");
    }

    #[test]
    fn a_media_line_without_payload_types_stays_as_it_is() {
        for answer in ["m=video", "m=video 0 UDP/TLS/RTP/SAVPF", "m=\r\n", ""] {
            assert_eq!(finished("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", answer), answer);
        }
    }
}
