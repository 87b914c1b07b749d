//! Logs: several files, packed, damaged, of any order; periods.

use std::fs::{self, File};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{figure, json_of, run};

#[test]
fn rotated_and_packed_files_in_any_order_are_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let json = json_of("seed-attack.pcap", &folder);
    let whole = run(&["report", &json]).stdout;
    let lines = fs::read_to_string(&json).unwrap();
    let lines: Vec<_> = lines.split_inclusive('\n').collect();
    let (older, newer) = lines.split_at(lines.len() / 2);
    fs::write(&json, newer.concat()).unwrap();
    let packed = format!("{json}.1.gz");
    let mut packer = GzEncoder::new(File::create(&packed).unwrap(), Compression::default());
    packer.write_all(older.concat().as_bytes()).unwrap();
    packer.finish().unwrap();
    for files in [[&json, &packed], [&packed, &json]] {
        let ran = run(&["report", files[0], files[1]]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(ran.stdout == whole, "{files:?}");
    }
}

#[test]
fn a_damaged_line_is_named_and_the_others_count() {
    let folder = tempfile::tempdir().unwrap();
    let json = json_of("seed-attack.pcap", &folder);
    let whole = run(&["report", &json]).stdout;
    let text = fs::read_to_string(&json).unwrap();
    let long = format!("{{\"x\":\"{}\"}}\n", "x".repeat(1 << 20));
    let (first, rest) = text.split_once('\n').unwrap();
    fs::write(&json, format!("{first}\n{{\"cut\n\n{long}{rest}")).unwrap();
    let ran = run(&["report", &json]);
    assert_eq!(ran.code, Some(1));
    let said: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(
        said,
        [
            format!("synwatch: {json:?}, line 2: EOF while parsing a string at column 5"),
            format!("synwatch: {json:?}, line 4: the line is longer than 1048576 bytes"),
        ]
    );
    assert!(ran.stdout == whole);

    fs::write(&json, "?\n".repeat(30)).unwrap();
    let ran = run(&["report", &json, "--format", "text"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 21));
    assert_eq!(ran.stderr.lines().last(), Some("synwatch: 10 more lines are damaged"));
}

#[test]
fn a_file_that_is_not_there_is_named_and_the_others_count() {
    let folder = tempfile::tempdir().unwrap();
    let json = json_of("seed-attack.pcap", &folder);
    let ran = run(&["report", "no.json", &json]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("synwatch: cannot read \"no.json\": "), "{}", ran.stderr);
    assert_eq!(figure(&ran.stdout, "attempts"), Some(1_787));
    let none = run(&["report", "no.json"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""));
}

#[test]
fn a_day_is_told_whole_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let json = json_of("seed-attack.pcap", &folder);
    let of = |day: &str| run(&["report", &json, "--format", "text", "--day", day]).stdout;
    let text = of("2013-11-25");
    assert!(
        text.starts_with("1 flood in seed-attack.pcap\n25 November 2013, the whole day (UTC+09:00)\n"),
        "{text}"
    );
    assert!(
        of("2013-11-24").starts_with("No flood\n24 November 2013, the whole day"),
        "{}",
        of("2013-11-24")
    );
    let since = run(&["report", &json, "--since", "2013-11-25T15:15", "--until", "2013-11-25T15:16"]).stdout;
    // Five a second for a minute.
    let attempts = figure(&since, "attempts").unwrap();
    assert!((290..=310).contains(&attempts), "{attempts}");
}

#[test]
fn yesterday_is_the_day_before_today() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("eve.json");
    // An episode at noon of the day before, as the program sees the time: nine hours ahead of UTC.
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
    let day = zone.to_datetime(jiff::Timestamp::now()).date().yesterday().unwrap();
    let time = format!("{day}T12:00:00.000000+0900");
    let line = include_str!("alert.json").replace("TIME", &time);
    fs::write(&json, line).unwrap();
    let ran = run(&["report", json.to_str().unwrap(), "--day", "yesterday", "--format", "text"]);
    assert!(ran.stdout.starts_with("1 flood\n"), "{}{}", ran.stdout, ran.stderr);
    let today = run(&["report", json.to_str().unwrap(), "--day", "today", "--format", "text"]);
    assert!(today.stdout.starts_with("No flood\n"), "{}", today.stdout);
}

#[test]
fn wrong_usage_is_said_with_its_remedy() {
    for (arguments, said) in [
        (&["report", "--day", "monday"][..], "--day \"monday\": no day (yesterday, today, 2026-11-27)"),
        (
            &["report", "--since", "noon"][..],
            "--since \"noon\": no day or time (2026-11-27, 2026-11-27T15:00, 2026-11-27T15:00:00+01:00)",
        ),
        (
            &["report", "--since", "2026-11-27", "--until", "2026-11-27"][..],
            "--until is not after --since (exchange them)",
        ),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr), (Some(2), format!("synwatch: {said}\n")));
    }
}

/// Ten million records would take minutes. What is kept has its bound long before.
#[test]
fn memory_does_not_grow_with_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let peak = |records: u32| {
        let json = folder.path().join("eve.json");
        let mut file = std::io::BufWriter::new(File::create(&json).unwrap());
        for number in 0..records {
            let source = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
            let line = include_str!("alert.json").replace("TIME", "2026-11-27T12:00:00.000000+0900");
            file.write_all(line.replace("192.0.2.1", &source).as_bytes()).unwrap();
        }
        file.flush().unwrap();
        let page = folder.path().join("page.html");
        let command = r#""$0" report "$1" -o "$2" & pid=$!; peak=0; while [ -r /proc/$pid/status ] && now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status) && [ -n "$now" ]; do peak=$now; sleep 0.05; done; wait $pid && echo $peak"#;
        let output = std::process::Command::new("sh")
            .args(["-c", command])
            .arg(synwatch_testkit::program_path())
            .args([&json, &page])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{text} {:?}", output.stderr))
    };
    let kilobytes = peak(150_000);
    assert!(kilobytes < 100_000, "{kilobytes} kB");
}
