//! The unit file of an engine that stays: what it allows, key by key. `systemd-analyze security --offline=true` says 1.2.

use std::collections::HashMap;

const UNIT: &str = include_str!("../../assets/subtend.service");

/// The last value of each key.
fn keys() -> HashMap<&'static str, &'static str> {
    let lines = UNIT.lines().filter(|line| !line.starts_with(['#', '[']));
    lines.filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn the_unit_of_an_engine_allows_what_it_needs() {
    let keys = keys();
    for (key, value) in [
        ("Type", "notify"),
        ("User", "subtend"),
        ("StateDirectory", "subtend"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        // What its first signal means needs time.
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "15min"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("PrivateUsers", "yes"),
        ("ProtectProc", "invisible"),
        ("ProtectClock", "yes"),
        ("ProtectHostname", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectControlGroups", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("LockPersonality", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
        ("DevicePolicy", "closed"),
    ] {
        assert_eq!(keys.get(key), Some(&value), "{key}");
    }
    assert!(UNIT.contains(
        "\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n"
    ));
    // A number that changes would have its state directory in another's hands.
    assert_eq!(keys.get("DynamicUser"), None);
    let started = keys["ExecStart"];
    assert!(
        started.starts_with("/usr/local/bin/subtend serve "),
        "{started}"
    );
    assert!(
        started.ends_with("--state-dir /var/lib/subtend"),
        "{started}"
    );
}
