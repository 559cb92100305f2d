//! A meeting link that somebody pasted.

use conclave_link::MeetingLink;

/// What can be parsed is the same link after it was written again, and its secret is in none of
/// what a log would show.
pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<MeetingLink>() {
        Ok(link) => {
            let written = link.expose();
            assert_eq!(written.parse().as_ref(), Ok(&link), "{written}");
            let secret = written.rsplit_once('#').map_or("", |(_, fragment)| fragment);
            assert!(!format!("{link:?}").contains(secret), "a log would show the secret");
        }
        Err(error) => drop(error.to_string()),
    }
}
