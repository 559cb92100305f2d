use std::fs;

use super::*;

fn load(file: &str, variables: &[(&str, &str)], flags: Vec<Flag>) -> anyhow::Result<Settings> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conclave.toml");
    fs::write(&path, file).unwrap();
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::from_layers(Some(&path), environment(Some(variables)), flags)
}

fn flag(name: &'static str, key: &'static str, value: &str) -> Flag {
    Flag { name, key, value: Some(value.into()) }
}

#[test]
fn without_any_layer_the_defaults_hold() {
    let settings = load("", &[], Vec::new()).unwrap();

    assert_eq!(settings.http.listen.port(), 8443);
    assert_eq!(settings.media.udp_port, 10_000);
    assert_eq!(settings.limits.meeting_days.get(), 90);
    assert!(settings.admin.listen.ip().is_loopback());
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = "[media]\nudp_port = 1\ntcp_port = 1\n[limits]\nmax_participants = 1\n";
    let variables =
        [("CONCLAVE__MEDIA__TCP_PORT", "2"), ("CONCLAVE__LIMITS__MAX_PARTICIPANTS", "2")];
    let flags = vec![flag("max-participants", "limits.max_participants", "3")];

    let settings = load(file, &variables, flags).unwrap();

    assert_eq!(settings.media.udp_port, 1);
    assert_eq!(settings.media.tcp_port, 2);
    assert_eq!(settings.limits.max_participants.get(), 3);
}

#[test]
fn addresses_are_a_list_in_the_environment_too() {
    let variables = [("CONCLAVE__MEDIA__ADVERTISE", "192.0.2.1,2001:db8::1")];

    let settings = load("", &variables, Vec::new()).unwrap();

    assert_eq!(settings.media.advertise.len(), 2);
    assert_eq!(
        load("[media]\nadvertise = [\"192.0.2.9\"]", &[], Vec::new()).unwrap().media.advertise,
        vec![IpAddr::from([192, 0, 2, 9])]
    );
}

#[test]
fn an_unknown_key_is_an_error_that_names_key_and_origin() {
    let file = load("[http]\nlisten = \"[::]:1\"\nlisten_on = 2\n", &[], Vec::new());
    let variable = load("", &[("CONCLAVE__HTTTP__LISTEN", "x")], Vec::new());

    let file = format!("{:#}", file.unwrap_err());
    assert!(file.contains("http.listen_on") && file.contains("conclave.toml"), "{file}");
    let variable = format!("{:#}", variable.unwrap_err());
    assert!(variable.contains("htttp") && variable.contains("environment"), "{variable}");
}

#[test]
fn a_value_of_the_wrong_kind_is_an_error_that_names_the_key() {
    let error = load("[limits]\nmax_participants = 0\n", &[], Vec::new()).unwrap_err();

    assert!(format!("{error:#}").contains("max_participants"), "{error:#}");
}

#[test]
fn a_jurisdiction_is_a_country_code_or_none() {
    let jurisdiction = |code: &str| {
        let variables = [("CONCLAVE__SERVER__JURISDICTION", code)];
        load("", &variables, Vec::new())?.server.jurisdiction()
    };

    assert_eq!(load("", &[], Vec::new()).unwrap().server.jurisdiction().unwrap(), None);
    assert_eq!(jurisdiction("TW").unwrap().map(String::from), Some("TW".to_owned()));
    for wrong in ["tw", "TWN", "T1", "Taiwan"] {
        let error = format!("{:#}", jurisdiction(wrong).unwrap_err());
        assert!(error.contains("server.jurisdiction") && error.contains(wrong), "{error}");
    }
}

#[test]
fn cameras_come_as_the_codec_that_is_set_and_a_codec_of_another_name_is_refused() {
    let codec = |name: &str| {
        let file = format!("[media]\ncamera_codec = \"{name}\"\n");
        load(&file, &[], Vec::new()).map(|settings| settings.media.camera_codec)
    };

    assert_eq!(load("", &[], Vec::new()).unwrap().media.camera_codec, CameraCodec::Auto);
    assert_eq!(codec("vp8").unwrap(), CameraCodec::Vp8);
    assert_eq!(codec("vp9").unwrap(), CameraCodec::Vp9);
    let error = format!("{:#}", codec("av1").unwrap_err());
    assert!(error.contains("av1"), "{error}");
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    assert!(load("[http]\ncertificate = \"a.pem\"\n", &[], Vec::new()).is_err());
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = Path::new("/nonexistent/conclave.toml");

    assert!(
        Settings::from_layers(Some(missing), environment(Some(Map::new())), Vec::new()).is_err()
    );
}
