//! Which compressed form of a file a client takes (RFC 9110 section 12.5.3).

use axum::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// A compressed form that the build of the web client makes; smallest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

const ALL: [Encoding; 2] = [Encoding::Brotli, Encoding::Gzip];

impl Encoding {
    /// What files of this form end with.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }

    /// Its name in headers.
    pub(super) const fn name(self) -> HeaderValue {
        HeaderValue::from_static(self.token())
    }

    const fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Whether a file is the compressed form of another, which nobody asks for by its name.
pub(super) fn is_encoded(path: &str) -> bool {
    ALL.iter().any(|encoding| path.ends_with(encoding.suffix()))
}

/// The forms that a client takes, smallest first. What it says of their order does not matter: it
/// reads all of them, and none costs the server more.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(parse).collect();
    let takes = |token: &str| {
        let named = entries.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(token));
        named.or_else(|| entries.iter().find(|(coding, _)| *coding == "*")).is_some_and(|e| e.1)
    };
    ALL.into_iter().filter(|encoding| takes(encoding.token())).collect()
}

/// A coding, and whether it is wanted: a weight of zero says that it is not.
fn parse(entry: &str) -> Option<(&str, bool)> {
    let mut parts = entry.split(';').map(str::trim);
    let coding = parts.next().filter(|coding| !coding.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // A weight that is none is the client's fault; what is not compressed, it can read for sure.
    let weight = weight.map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok());
    Some((coding, weight.is_some_and(|weight| weight > 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_form_that_it_takes_and_no_other() {
        use Encoding::{Brotli, Gzip};
        let cases: [(&[&'static str], &[Encoding]); 12] = [
            (&[], &[]),
            (&["gzip, deflate, br, zstd"], &[Brotli, Gzip]),
            (&["gzip, deflate"], &[Gzip]),
            (&["gzip", "br"], &[Brotli, Gzip]),
            (&["GZIP;q=0.5 , Br ; q=1.0"], &[Brotli, Gzip]),
            (&["br;q=0, gzip"], &[Gzip]),
            (&["*"], &[Brotli, Gzip]),
            (&["*;q=0.1, br;q=0.000"], &[Gzip]),
            (&["identity, *;q=0"], &[]),
            (&["br;q=much, gzip;q=NaN"], &[]),
            (&["bread, gzipped"], &[]),
            (&[",;q=1,"], &[]),
        ];

        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(accepted(&headers), expected, "{lines:?}");
        }
    }
}
