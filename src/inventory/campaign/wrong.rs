//! Keys of a group without sense, and what is said of each: where it stands from the first line of the keys on, what it is, and
//! what to write instead.

pub(super) const WRONG: &[(&str, &str)] = &[
    (
        "waves: []",
        "1:8 the list `waves` is empty (write their sizes in a list, like `waves: [1, 10%, rest]`)",
    ),
    (
        "waves: 10%",
        "1:8 `waves` must be a list, and this is text (write their sizes in a list, like `waves: [1, 10%, rest]`)",
    ),
    (
        "waves: [1, 0, rest]",
        "1:12 a wave of `0` has nobody in it (write a number of entities (`1`), a part of all of the group (`10%`), or `rest`)",
    ),
    (
        "waves: [120%]",
        "1:9 a wave of `120%` is more than all (write a number of entities (`1`), a part of all of the group (`10%`), or `rest`)",
    ),
    (
        "waves: [1, rest, 5]",
        "1:12 `rest` is wave 2 of 3, and leaves nobody for those behind it (write `rest` last)",
    ),
    (
        "waves: [500, rest]",
        "1:9 a wave of 500 is more than the group has: 21 entities (write smaller waves, or `rest` for all that are left)",
    ),
    (
        "waves: [1, 10, 11]",
        "1:16 waves up to this one are 22 entities, and the group has 21 entities (write smaller waves, or `rest` for all that are left)",
    ),
    (
        "waves: [50%, 60%]",
        "1:14 waves up to this one are 110% of the group (write smaller parts, or `rest` for all that are left)",
    ),
    (
        "waves: [1, 100%, rest]",
        "1:18 nobody is left for wave 3, `rest`: 1 + 100% of 21 entities are all (write smaller waves before it, or leave it out)",
    ),
    (
        "by: shelf",
        "1:5 `by` without `waves`: nothing is divided that a label could keep together (write `waves: [1, 10%, rest]`, or leave `by` out)",
    ),
    (
        "waves: [1, rest]\nby: shelv",
        "2:5 no entity of the group has a label `shelv` (did you mean `shelf`?)",
    ),
    (
        "waves: [1, rest]\nby: one",
        "2:5 all 21 entities have `one` `a`: they would be one wave (name a label in which they differ, or leave `by` out)",
    ),
    (
        "order: []",
        "1:8 the list `order` is empty (write labels in a list, like `order: [site, { ring: [lab, pilot] }]`)",
    ),
    (
        "order: [shelf, ring, shelf]",
        "1:22 `shelf` would come before itself: it stands in `order` twice (leave it out at the later place)",
    ),
    (
        "order: [{ ring: [a, b, a] }]",
        "1:9 `a` of `ring` would come before itself: it stands there twice (leave it out at the later place)",
    ),
    (
        "order: [{ ring: a, shelf: b }]",
        "1:9 an item of `order` is one label, and these are 2 (write an item for each, in the order in which they count)",
    ),
    (
        "order: [{ ring: [] }]",
        "1:17 the list `ring` is empty (write labels in a list, like `order: [site, { ring: [lab, pilot] }]`)",
    ),
    (
        "order: [site]",
        "1:9 no entity of the group has a label `site` (their labels are `one`, `pair`, `ring`, `shelf`)",
    ),
    (
        "proceed: ask",
        "1:10 there is one wave, with all 21 entities, and nothing to be asked behind it (write `waves: [1, 10%, rest]`, or leave `proceed` out)",
    ),
    (
        "waves: [100%]\nproceed: ask",
        "2:10 there is one wave, with all 21 entities, and nothing to be asked behind it (write `waves: [1, 10%, rest]`, or leave `proceed` out)",
    ),
    (
        "proceed: maybe",
        "1:10 `proceed` can't be `maybe` (possible are `auto`, `ask`)",
    ),
    (
        "stop_after: 0",
        "1:13 with `0` it would stop before anything has failed (write a number of failures from 1, or a part of all entities of the group, like `2%`)",
    ),
    (
        "stop_after: 22",
        "1:13 22 failures can't be: the group has 21 entities (write a number from 1 to 21, or a part of all, like `5%`)",
    ),
    (
        "stop_after: 101%",
        "1:13 `101%` is more than all: so many can't fail (write a number of failures from 1, or a part of all entities of the group, like `2%`)",
    ),
    (
        "start: \"2026-12-01 01:00\"",
        "1:8 `2026-12-01 01:00` has no time zone (write day, time and zone, like `2026-12-01T01:00[Europe/Berlin]`, or `2026-12-01T00:00Z`)",
    ),
    (
        "start: { at: \"2026-12-01 01:00\" }",
        "1:8 `start` without `zone` (add `zone: Europe/Berlin`)",
    ),
    (
        "start: { at: \"2026-12-01 01:00\", zone: Berlin }",
        "1:40 there is no time zone `Berlin` (did you mean `Europe/Berlin`?)",
    ),
    (
        "start: { at: \"2026-03-29 02:30\", zone: Europe/Berlin }",
        "1:14 2026-03-29 02:30 is never shown by clocks in Europe/Berlin, where they are changed: it could be 01:30 (+01, 00:30Z) or 03:30 (+02, 01:30Z) (write `2026-03-29T01:30+01:00[Europe/Berlin]` or `2026-03-29T03:30+02:00[Europe/Berlin]`)",
    ),
    (
        "start: \"2026-10-25T02:30[Europe/Berlin]\"",
        "1:8 2026-10-25 02:30 is shown twice by clocks in Europe/Berlin, where they are changed: it could be 02:30 (+02, 00:30Z) or 02:30 (+01, 01:30Z) (write `2026-10-25T02:30+02:00[Europe/Berlin]` or `2026-10-25T02:30+01:00[Europe/Berlin]`)",
    ),
    (
        "window: { from: \"01:00\", zone: UTC }",
        "1:9 `window` without `to` (add `to: \"05:00\"`)",
    ),
    (
        "window: { from: \"01:00\", to: \"01:00\", zone: UTC }",
        "1:9 a window from 01:00 to 01:00 is open for no time (write `from: \"00:00\"` and `to: \"24:00\"` for whole days, or leave `window` out)",
    ),
    (
        "window: { days: [], from: \"01:00\", to: \"02:00\", zone: UTC }",
        "1:17 the list `days` is empty: the window would never open (name days, or leave `days` out for every day)",
    ),
    (
        "window: { days: weekend, from: \"01:00\", to: \"02:00\", zone: UTC }",
        "1:17 `weekend` is no day of the week (write `mon-fri`, `sat` or `mon,wed,fri`; without `days` it is every day)",
    ),
    (
        "window: { from: 1am, to: \"02:00\", zone: UTC }",
        "1:17 `1am` is no time of day (write hours and minutes, from `\"00:00\"` to `\"24:00\"`)",
    ),
    (
        "window: { from: \"01:00\", to: \"02:00\", zone: Europe/Berlim }",
        "1:45 there is no time zone `Europe/Berlim` (did you mean `Europe/Berlin`?)",
    ),
    (
        "window: 01:00-01:10 UTC\ntakes: 20m",
        "1:9 a window of 10 min is too short: one entity takes 20 min (`takes`) (write a window of at least 20 min)",
    ),
    (
        "takes: 20m",
        "1:8 `takes` without `window`: nothing asks how long an entity takes (write a `window`, or leave `takes` out)",
    ),
    (
        "window: 01:00-02:00 UTC\ntakes: 0s",
        "2:8 no entity takes 0 (write how long one entity takes, like `20m`)",
    ),
    (
        "window: 01:00-02:00 UTC\ntakes: soon",
        "2:8 `soon` is not a time (write how long one entity takes, like `20m`)",
    ),
    (
        "activate: window",
        "1:11 `activate: window` without `window`: nothing says when that is (write `window: { days: mon-fri, from: \"01:00\", to: \"05:00\", zone: Europe/Berlin }`)",
    ),
    (
        "offline: wait 0s",
        "1:10 to wait for 0 is not to wait (write `fail`, or how long it is asked again, like `wait 14d`)",
    ),
    (
        "offline: { wait: 0s }",
        "1:18 to wait for 0 is not to wait (write `fail`, or how long it is asked again, like `wait 14d`)",
    ),
    (
        "offline: { wait: 1h, first: 2h }",
        "1:29 the entity would be asked again after 2h, and is waited for 1h only (write a `first` of at most 1h, or wait longer)",
    ),
    (
        "offline: { first: 2h }",
        "1:10 `offline` without `wait` (add `wait: 14d`)",
    ),
    (
        "offline: retry",
        "1:10 `offline` can't be `retry` (write `fail`, or how long it is asked again, like `wait 14d`)",
    ),
    (
        "together: shelf",
        "1:11 `together` must say what it does with a label (write `together: { never: shelf }`)",
    ),
    (
        "together: { never: pair }",
        "1:11 no two entities share a value of `pair`: each of 1 value in the group is there once (give those that must not be under way together one value, or leave `together` out)",
    ),
    (
        "together: { never: site }",
        "1:11 no entity of the group has a label `site` (their labels are `one`, `pair`, `ring`, `shelf`)",
    ),
    (
        "from: \"2.1\"",
        "1:7 `2.1` does not say how it is to compare (write comparisons like `>=2.1` or `>=2.1, <3`, with `>=`, `>`, `<=`, `<`, `=` or `!=`)",
    ),
    (
        "from: \">=3 <2.1\"",
        "1:7 no version is both `>=3` and `<2.1` (leave one of them out, or correct it)",
    ),
    (
        "downgrade: never",
        "1:12 `downgrade` can't be `never` (possible are `refuse`, `allow`)",
    ),
];
