use conclave_link::{HostSeed, LinkError, LinkSecret, MeetingLink, Origin, PolicyDigest};
use conclave_model::MeetingId;
use proptest::prelude::*;

use crate::vectors;

#[test]
fn the_committed_vectors_are_what_this_build_computes() {
    let committed = include_str!("../../vectors.json");
    assert!(committed == vectors::vectors(), "run the example `vectors` and read what changed");
}

#[test]
fn each_rejected_link_names_the_part_that_is_wrong() {
    let file: serde_json::Value = serde_json::from_str(&vectors::vectors()).unwrap();
    for row in file["rejected"].as_array().unwrap() {
        let link = row["link"].as_str().unwrap();
        let part = match link.parse::<MeetingLink>().expect_err(link) {
            LinkError::Fragment => "fragment",
            LinkError::HostSeed => "hostSeed",
            LinkError::Meeting => "meeting",
            LinkError::NoFragment => "noFragment",
            LinkError::Origin(_) => "origin",
            LinkError::Path => "path",
            LinkError::PolicyDigest => "policyDigest",
            LinkError::Secret => "secret",
            LinkError::Version => "version",
        };
        assert_eq!(part, row["part"].as_str().unwrap(), "{link}");
    }
}

#[test]
fn a_pasted_link_may_have_white_space_around_it_and_capitals_in_its_host() {
    let file: serde_json::Value = serde_json::from_str(&vectors::vectors()).unwrap();
    let link = file["links"][1]["link"].as_str().unwrap();
    let pasted = format!(" \n{}\t", link.replace("https://meet.example", "HTTPS://Meet.Example"));
    assert_eq!(pasted.parse::<MeetingLink>().unwrap().expose(), link);
}

#[test]
fn a_host_link_without_its_host_part_is_the_guests_link() {
    let file: serde_json::Value = serde_json::from_str(&vectors::vectors()).unwrap();
    let row = &file["links"][0];
    let host: MeetingLink = row["hostLink"].as_str().unwrap().parse().unwrap();
    assert!(host.host.is_some());
    assert_eq!(host.for_guests().expose(), row["link"].as_str().unwrap());
}

#[test]
fn debug_output_of_a_link_holds_no_secret() {
    let link = MeetingLink {
        origin: "https://localhost".parse().unwrap(),
        meeting: MeetingId::from_bytes([7; 16]),
        secret: LinkSecret::from_bytes([9; 32]),
        policy_digest: PolicyDigest::of("{}"),
        host: Some(HostSeed::from_bytes([8; 32])),
    };
    let debug = format!("{link:?}");
    assert!(!debug.contains("CQkJ") && !debug.contains("9, 9, 9"), "{debug}");
    assert!(!debug.contains("CAgI") && !debug.contains("8, 8, 8"), "{debug}");
    assert!(!debug.contains("BwcH") && !debug.contains("7, 7, 7"), "{debug}");
}

#[test]
fn only_this_machine_is_loopback() {
    let loopback = |origin: &str| origin.parse::<Origin>().unwrap().is_loopback();
    for own in ["https://localhost:1", "https://127.0.0.1", "https://127.9.9.9", "https://[::1]"] {
        assert!(loopback(own), "{own}");
    }
    for other in [
        "https://localhost.example.org",
        "https://128.0.0.1",
        "https://[::2]",
        "https://127.0.0.1.nip.io",
    ] {
        assert!(!loopback(other), "{other}");
    }
}

#[test]
fn the_default_port_is_not_written() {
    let origin: Origin = "https://example.org:443".parse().unwrap();
    assert_eq!(origin.to_string(), "https://example.org");
    assert_eq!(origin.port(), 443);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        host in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{1,8}){0,3}|\\[::[0-9a-f]{1,3}\\]",
        port: Option<u16>,
        meeting: [u8; 16],
        secret: [u8; 32],
        digest: [u8; 16],
        host_seed: Option<[u8; 32]>,
    ) {
        let port = port.filter(|&p| p != 0).map(|p| format!(":{p}")).unwrap_or_default();
        let Ok(origin) = format!("https://{host}{port}").parse() else { return Ok(()) };
        let link = MeetingLink {
            origin,
            meeting: MeetingId::from_bytes(meeting),
            secret: LinkSecret::from_bytes(secret),
            policy_digest: PolicyDigest::from_bytes(digest),
            host: host_seed.map(HostSeed::from_bytes),
        };
        prop_assert_eq!(link.expose().parse::<MeetingLink>().unwrap(), link);
    }

    #[test]
    fn arbitrary_text_is_refused_or_is_exactly_a_link(text in "\\PC{0,200}|(https://)?[a-z.:/\\[\\]]{0,20}/m/[-_A-Za-z0-9]{20,24}#1?\\.[-_A-Za-z0-9]{42,44}\\.[-_A-Za-z0-9]{20,23}(\\.[-_A-Za-z0-9]{42,44})?") {
        if let Ok(link) = text.parse::<MeetingLink>() {
            prop_assert_eq!(link.expose().parse::<MeetingLink>().unwrap(), link);
        }
    }

    #[test]
    fn a_link_cut_anywhere_is_refused(cut in 0_usize..180) {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../vectors.json")).unwrap();
        let guest = file["links"][0]["link"].as_str().unwrap();
        let host = file["links"][0]["hostLink"].as_str().unwrap();
        for link in [guest, host] {
            // A host's link without its whole last part is the guests'.
            if cut < link.len() && link[..cut] != *guest {
                prop_assert!(link[..cut].parse::<MeetingLink>().is_err());
            }
        }
    }
}
