//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a server needs at most: a socket for each of some ten thousand participants, another for
/// who is behind a firewall, and room. The service that comes with it is given as many.
const ENOUGH: u64 = 65_536;

/// With fewer, a call of a thousand does not fit.
const FEW: u64 = 4096;

/// Takes as many as the system grants without being asked by an administrator: shells and
/// containers begin with 1,024, for the sake of programs that this is not.
pub(crate) fn raise_limit() {
    let granted = getrlimit(Resource::Nofile);
    let wanted = granted.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    let mut have = granted.current.unwrap_or(ENOUGH);
    if have < wanted {
        let limit = Rlimit { current: Some(wanted), maximum: granted.maximum };
        match setrlimit(Resource::Nofile, limit) {
            Ok(()) => have = wanted,
            Err(error) => tracing::warn!(%error, "the limit of open files stays as it was"),
        }
    }
    if have < FEW {
        tracing::warn!(
            limit = have,
            "few files may be open: some hundred people fill this server; raise its limit \
             (`LimitNOFILE=` of systemd, `--ulimit nofile=` of containers)"
        );
    }
}
