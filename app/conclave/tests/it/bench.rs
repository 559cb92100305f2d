use serde_json::Value;

use crate::process::run;

#[test]
fn the_costs_of_a_group_are_measured_and_reported_as_one_document() {
    let output = run(&["bench", "e2ee", "--quick", "--json", "--limit-ms", "60000"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let groups = report["groups"].as_array().unwrap();
    let members: Vec<_> = groups.iter().map(|group| group["members"].as_u64().unwrap()).collect();
    assert_eq!(members, [2, 5]);
    for group in groups {
        assert_eq!(group["live"], group["members"]);
        for change in ["join", "joinAlone", "removal"] {
            let cost = &group[change];
            assert_positive(&cost["allMs"]["worst"], change);
            assert_positive(&cost["commitBytes"], change);
            assert_positive(&cost["commitCpuMs"], change);
            assert_positive(&cost["checkCpuMs"], change);
        }
        assert_positive(&group["join"]["welcomeBytes"], "a Welcome");
        assert_positive(&group["joinAlone"]["treeBytes"], "a tree");
        assert_positive(&group["keyPackageBytes"], "a key package");
        assert_positive(&group["catchUp"]["bytes"], "a log");
        assert_positive(&group["snapshot"]["bytes"], "a snapshot");
        let frames = group["frames"].as_array().unwrap();
        assert_eq!(frames.len(), 2);
        for frame in frames {
            assert_positive(&frame["sealCpuUs"], "sealing");
            assert_positive(&frame["openCpuUs"], "opening");
        }
    }
    let crowds = report["crowds"].as_array().unwrap();
    assert_eq!(crowds.len(), 3);
    crowds.iter().for_each(|crowd| assert_positive(&crowd["allMs"], "a crowd"));
    let limits = report["limits"].as_array().unwrap();
    assert_eq!(limits.len(), 4);
    assert!(limits.iter().all(|limit| limit["holds"] == true && limit["members"] == 5));
}

#[test]
fn a_limit_that_is_exceeded_fails_the_command_after_the_report() {
    let output = run(&["bench", "e2ee", "--quick", "--up-to", "2", "--limit-ms", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("EXCEEDED"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("limits are exceeded"));
}

#[test]
fn the_least_that_forwarding_can_cost_is_measured_and_reported_as_one_document() {
    let output = run(&["bench", "limit", "--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(report["destinations"], 100);
    assert_eq!(report["datagramBytes"], 1200);
    let rows = report["rows"].as_array().unwrap();
    let measured: Vec<_> = rows
        .iter()
        .map(|row| (row["work"].as_str().unwrap(), row["burst"].as_u64().unwrap()))
        .collect();
    let works = ["send", "sealAndSend", "floorPaced", "floorSaturated"];
    let expected = works.into_iter().flat_map(|work| [1, 4, 8].map(|burst| (work, burst)));
    assert_eq!(measured, expected.collect::<Vec<_>>());
    for row in rows {
        let what = row["work"].as_str().unwrap();
        assert_positive(&row["deliveredShare"], what);
        assert!(row["deliveredShare"].as_f64().unwrap() <= 1.0, "{row}");
        assert_positive(&row["cpuNs"]["least"], what);
        assert_positive(&row["packetsPerCoreSecond"], what);
        assert!(row["cpuNs"]["least"].as_f64() <= row["cpuNs"]["median"].as_f64(), "{row}");
        assert_eq!(row["packetsPerSecond"].is_number(), what == "floorSaturated", "{row}");
        assert!(row["void"].is_boolean() && row["wholeBursts"].is_boolean(), "{row}");
    }
}

#[test]
fn the_cost_of_forwarding_is_measured_and_reported_as_one_document() {
    let output = run(&["bench", "media", "--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    for (what, expected) in [("publishers", 1), ("subscribers", 3), ("fps", 60), ("burst", 4)] {
        assert_eq!(row[what], expected, "{what}");
    }
    // A machine that is busy with other tests may lose some.
    let delivered = row["deliveredShare"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&delivered), "{delivered}");
    for figure in [
        "seconds",
        "sent",
        "delivered",
        "forwardedPerSecond",
        "megabitsPerSecond",
        "cpuNsPerPacket",
        "packetsPerCpuSecond",
        "serverBusy",
        "clientsBusy",
        "loadedKbPerSubscriber",
    ] {
        assert_positive(&row[figure], figure);
    }
    assert_positive(&row["delayUs"]["p50"], "the usual delay");
    assert!(row["delayUs"]["p99"].as_u64() >= row["delayUs"]["p50"].as_u64());
    assert_positive(&row["join"]["cpuMsEach"], "a join");
    assert!(row["void"].is_array());
}

#[test]
fn the_cost_of_relaying_is_measured_beside_the_direct_way_and_reported_as_one_document() {
    let measure = || {
        let output = run(&["bench", "turn", "--quick", "--json"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["rows"].as_array().unwrap().clone()
    };
    let least_delivered = |rows: &[Value]| {
        let shares = rows.iter().map(|row| row["deliveredShare"].as_f64().unwrap());
        shares.fold(f64::INFINITY, f64::min)
    };
    // Beside other tests, a machine may be too slow for packets to come in time.
    let mut rows = measure();
    for _ in 0..2 {
        if least_delivered(&rows) < 0.99 {
            rows = measure();
        }
    }
    assert!((0.5..=1.0).contains(&least_delivered(&rows)), "{rows:?}");

    let ways: Vec<_> = rows.iter().map(|row| row["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["direct", "udp", "tcp"]);
    for row in &rows {
        for (what, expected) in [("publishers", 1), ("subscribers", 3), ("fps", 60), ("burst", 4)] {
            assert_eq!(row[what], expected, "{what}");
        }
        for figure in ["forwardedPerSecond", "cpuNsPerPacket", "loadedKbPerSubscriber"] {
            assert_positive(&row[figure], figure);
        }
        assert_positive(&row["delayUs"]["p50"], "the usual delay");
        assert_positive(&row["join"]["cpuMsEach"], "a join");
        assert!(row["lossShare"].is_number() && row["void"].is_array(), "{row}");
        assert!(row["floor"].is_null() || row["timesFloor"].is_number(), "{row}");
        assert_eq!(row["cpuNsOfRounds"], serde_json::json!([row["cpuNsPerPacket"]]));
    }
    assert!(rows[0]["added"].is_null() && rows[0]["allocation"].is_null(), "{}", rows[0]);
    for row in &rows[1..] {
        assert_positive(&row["allocation"]["cpuMsEach"], "an allocation");
        assert_positive(&row["added"]["timesDirect"], "times the direct way");
        for figure in ["cpuNsPerPacket", "delayP50Us", "delayP99Us", "kbEach"] {
            assert!(row["added"][figure].is_number(), "{row}");
        }
    }
}

#[test]
fn joins_are_measured_and_reported_as_one_document() {
    let output = run(&["bench", "join", "--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let cost = &report["cost"];
    for floor in [&cost["before"], &cost["after"]] {
        assert_positive(&floor["mediaMs"], "a bare media session");
        assert_positive(&floor["tlsMs"], "a bare TLS handshake");
    }
    let costs = cost["costs"].as_array().unwrap();
    let steps: Vec<_> = costs.iter().map(|cost| cost["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["door", "group", "media"]);
    costs.iter().for_each(|cost| assert_positive(&cost["cpuMs"], "a join"));
    let whole = costs[2]["cpuMs"].as_f64().unwrap();
    assert!(whole > costs[0]["cpuMs"].as_f64().unwrap(), "media costs something: {costs:?}");
    assert_positive(&cost["timesFloor"], "times the floor");

    let storm = &report["storm"];
    assert_eq!((&storm["joins"], &storm["failed"]), (&6.into(), &0.into()), "{storm}");
    let times = ["atDoorMs", "inGroupMs", "connectedMs", "firstSoundMs"];
    let times = times.map(|time| storm[time]["worst"].as_u64().unwrap());
    assert!(times.is_sorted() && times[0] > 0, "{storm}");
    assert_positive(&storm["packets"], "packets of those who were in");

    let churn = &report["churn"];
    assert_eq!((&churn["warmUp"], &churn["joins"]), (&6.into(), &12.into()), "{churn}");
    for memory in ["startKb", "baseKb", "endKb"] {
        assert_positive(&churn[memory], memory);
    }
    assert!(churn["met"].is_boolean() && storm["met"].is_boolean() && cost["met"].is_boolean());
}

#[test]
fn a_call_of_the_system_moves_four_packets_or_more() {
    let load = ["--subscribers", "30", "--burst", "8", "--seconds", "4"];
    let measure = |_| {
        let output = run(&[&["bench", "media", "--json"], load.as_slice()].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["rows"][0]["systemCallsPerPacket"].as_f64().expect("it was counted")
    };
    // Beside other tests, the machine brings bursts in parts, each with a call of its own.
    let measured: Vec<f64> = (0..3).map(measure).collect();
    let least = measured.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((0.01..=0.25).contains(&least), "{measured:?} calls of the system for each packet");
}

#[test]
fn a_lecture_is_measured_beside_a_control_run_and_reported_as_one_document() {
    // A limit that cannot hold fails the command, after the report.
    let output = run(&["bench", "crowd", "--quick", "--json", "--limit-ms=-60000"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("forwarding paused"), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert!(report["beyondControlMs"].is_number() && report["holds"] == false, "{report}");
    let rows = report["rows"].as_array().unwrap();
    let runs: Vec<_> = rows.iter().map(|row| (&row["name"], &row["listeners"])).collect();
    assert_eq!(runs, [(&"control".into(), &2.into()), (&"crowd".into(), &6.into())]);
    for row in rows {
        for figure in [
            "forwardedPerSecond",
            "eachPerSecond",
            "leastPerSecond",
            "cpuNsPerPacket",
            "serverBusy",
            "clientsBusy",
            "longestTurnMs",
            "kbPerListener",
        ] {
            assert_positive(&row[figure], figure);
        }
        assert_positive(&row["gapMs"]["most"], "a pause");
        assert!(row["gapMs"]["most"].as_f64() >= row["gapMs"]["p50"].as_f64(), "{row}");
        assert_positive(&row["delayUs"]["p50"], "the usual delay");
        assert_positive(&row["join"]["cpuMsEach"], "a join");
        let lost = row["lossShare"].as_f64().unwrap();
        assert!((0.0..0.5).contains(&lost), "{lost}");
    }
}

#[test]
fn telling_all_members_of_a_change_is_measured_and_reported_as_one_document() {
    let limits = ["--limit-ms", "60000", "--limit-times", "1000"];
    let output = run(&[&["bench", "signalling", "--quick", "--json"], &limits[..]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let rows = report["rows"].as_array().unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["microphone", "hand", "confirmation"]);
    let changes: Vec<_> = rows.iter().map(|row| row["changes"].as_u64().unwrap()).collect();
    assert_eq!(changes, [6, 6, 5]);
    for row in rows {
        assert_eq!(row["members"], 8);
        for figure in ["bytes", "cpuNsPerMessage", "serverBusy", "clientsBusy"] {
            assert_positive(&row[figure], figure);
        }
        let all = &row["allMs"];
        assert_positive(&all["p50"], "until all knew");
        assert!(all["p50"].as_f64() <= all["most"].as_f64(), "{row}");
    }
    for row in &rows[..2] {
        assert_positive(&row["timesFloor"], "the floor");
        row["floorNs"].as_array().unwrap().iter().for_each(|floor| assert_positive(floor, "floor"));
    }
    // A hand goes to each of the others at once; news of the roster may share a message.
    assert_eq!(rows[1]["deliveries"], 6 * 7);
    let roster = rows[0]["deliveries"].as_u64().unwrap();
    assert!((7..=6 * 8).contains(&roster), "{roster}");
    let returned = &report["returned"];
    assert_eq!(returned["members"], 8);
    assert_positive(&returned["allMs"], "coming back");
    assert_positive(&returned["cpuMsEach"], "coming back");
}

#[test]
fn what_abuse_does_is_measured_and_the_server_counts_what_it_refuses() {
    let output = run(&["bench", "abuse", "--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();

    let rows = report["cases"].as_array().unwrap();
    assert_eq!(rows.len(), 18);
    for row in rows {
        let case = row["case"].as_str().unwrap();
        let phases = row["phases"].as_array().unwrap();
        assert_eq!(phases.len(), 3, "{case}");
        for phase in phases {
            // The call goes on before, meanwhile and afterwards.
            assert_positive(&phase["delivered"], case);
            assert_positive(&phase["delayUs"]["p50"], case);
            assert!(phase["delivered"].as_u64() <= phase["expected"].as_u64(), "{phase}");
        }
        assert_eq!(row["sentPerSecond"].as_f64() > Some(0.0), case != "never-reads", "{case}");
        assert!(row["lost"].is_u64() && row["void"].is_array(), "{row}");
    }
    let counted = [
        ("garbage", "conclave_media_drops_total{reason=\"garbage\"}"),
        ("checks-for-nobody", "conclave_media_drops_total{reason=\"stranger\"}"),
        ("forged-checks", "conclave_media_drops_total{reason=\"forged\"}"),
        ("hellos-of-strangers", "conclave_media_drops_total{reason=\"stranger\"}"),
        ("turn-scan", "conclave_turn_refused_total{reason=\"forbidden\"}"),
        ("turn-strangers", "conclave_turn_refused_total{reason=\"unauthorized\"}"),
    ];
    for (case, counter) in counted {
        let row = rows.iter().find(|row| row["case"] == case).unwrap();
        assert_positive(&row["counted"][counter], case);
    }
    for row in report["halfLoad"].as_array().unwrap() {
        assert_positive(&row["phase"]["delayUs"]["p50"], "the delay at half load");
        assert_positive(&row["phase"]["floorUs"]["p99"], "the floor");
    }
}

/// It needs `nft` and a network of its own. Where a machine has neither, it says so.
#[test]
fn what_cores_carry_is_measured_or_it_is_said_what_that_needs() {
    let output = run(&["bench", "saturation", "--quick", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let needs = ["nft", "unshare", "ip: not found", "Operation not permitted"];
        assert!(needs.iter().any(|what| errors.contains(what)), "{errors}");
        return;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let shards: Vec<_> = rows.iter().map(|row| row["shards"].as_u64().unwrap()).collect();
    assert_eq!(shards, [1, 1, 2, 2]);
    assert_eq!(rows[3]["oneCall"], true);
    for row in rows {
        for figure in ["wanted", "carried", "carriedPerSecond", "seconds"] {
            assert_positive(&row[figure], figure);
        }
        // Extensions that are left out after a while make packets shorter than they are taken to be.
        assert!(
            row["carried"].as_f64() < row["wanted"].as_f64().map(|wanted| wanted * 1.1),
            "{row}"
        );
    }
}

#[track_caller]
fn assert_positive(value: &Value, what: &str) {
    assert!(value.as_f64().is_some_and(|value| value > 0.0), "{what}: {value}");
}
