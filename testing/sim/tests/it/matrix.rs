//! Calls on bad networks: all that the `network` command measures holds, whatever the seed.

use conclave_sim::{Figure, NetworkCase};

/// How often each network is tried here; the command tries them more often.
const SEEDS: u64 = 3;

fn holds(case: NetworkCase) {
    let figures = case.worst(SEEDS);
    let text: Vec<String> = figures.iter().map(ToString::to_string).collect();
    assert!(figures.iter().all(Figure::holds), "{}\n{}", case.name(), text.join("\n"));
}

#[test]
fn speech_is_understood_where_a_third_is_lost_on_the_way_up() {
    holds(NetworkCase::LossUp);
}

#[test]
fn speech_is_understood_where_a_third_is_lost_on_the_way_down() {
    holds(NetworkCase::LossDown);
}

#[test]
fn speech_is_understood_where_a_third_is_lost_on_all_ways() {
    holds(NetworkCase::LossBoth);
}

#[test]
fn a_picture_of_which_a_twentieth_is_lost_is_whole_in_time() {
    holds(NetworkCase::PictureLoss);
}

#[test]
fn packets_that_overtake_others_by_far_are_put_into_order_in_time() {
    holds(NetworkCase::Jitter);
}

#[test]
fn a_line_that_becomes_narrow_gets_a_smaller_picture_in_time() {
    holds(NetworkCase::Squeeze);
}

#[test]
fn sound_survives_where_no_picture_fits() {
    holds(NetworkCase::SoundOnly);
}

#[test]
fn media_is_back_as_soon_as_the_line_is() {
    holds(NetworkCase::Blackout);
}

#[test]
fn a_device_that_comes_from_another_port_is_followed() {
    holds(NetworkCase::NewPort);
}

#[test]
fn a_device_that_comes_from_another_network_is_followed() {
    holds(NetworkCase::NewNetwork);
}

#[test]
fn a_layer_that_falls_silent_freezes_nobody_for_long() {
    holds(NetworkCase::SilentLayer);
}
