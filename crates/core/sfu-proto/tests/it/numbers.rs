use std::time::Duration;

use crate::client::Setup;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// A late packet may wait though one behind it was sent. Dropping it must not give the number of the
/// one that was sent to another packet: that would be two packets under one nonce of AES-GCM.
#[test]
fn a_number_that_was_sent_is_not_given_back() {
    let mut world = World::new();
    let a = world.join(Setup { simulcast: false, ..Setup::new() });
    world.run(SECOND);
    world.clients[a].silent = true;

    world.clients[a].write_picture(world.now, 5000);
    world.run(SECOND);
    world.clients[a].write_picture(world.now, 4990);
    assert_eq!(world.clients[a].drop_written(), Some(5001));

    world.clients[a].write_picture(world.now, 5004);
    assert_eq!(world.clients[a].drop_written(), Some(5004));
    assert_eq!(world.clients[a].drop_written(), None);
}
