//! What a page tells is what the JSON tells, for every capture; and a page of the JSON is that of the run.

use std::fs;

use synwatch_testkit::catalogue;

use super::{captures, figure, run};

#[test]
fn a_page_of_the_log_is_that_of_the_run_and_has_the_totals_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut compared = 0;
    for capture in catalogue::all() {
        let (json, of_run, of_log) = (path("eve.json"), path("run.html"), path("log.html"));
        [&json, &of_run, &of_log].iter().for_each(|file| _ = fs::remove_file(file));
        let ran =
            run(&["-q", "-r", capture.name, "--json", &json, "--stats-interval", "1s", "--html", &of_run]);
        let Ok(page) = fs::read_to_string(&of_run) else {
            assert_eq!(ran.code, Some(1), "{}: {}", capture.name, ran.stderr);
            continue;
        };
        let made = run(&["report", &json, "-o", &of_log]);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{}", capture.name);
        assert!(page == fs::read_to_string(&of_log).unwrap(), "{}: the pages differ", capture.name);

        let log = fs::read_to_string(&json).unwrap();
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let counted = &last["stats"]["synwatch"];
        if counted["packets"] != 0 {
            assert_eq!(figure(&page, "attempts"), counted["attempts"].as_u64(), "{}", capture.name);
        }
        assert_eq!(figure(&page, "episodes"), counted["episodes"].as_u64(), "{}", capture.name);
        compared += 1;
    }
    assert!(compared > 80, "only {compared} captures were compared");
}

#[test]
fn a_page_is_written_beside_its_place_and_links_to_the_evidence_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (page, evidence) = (path("page.html"), path("evi dence"));
    fs::create_dir(&evidence).unwrap();
    let ran = run(&["-q", "-r", "seed-attack.pcap", "--html", &page, "--report-dir", &evidence]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = fs::read_to_string(&page).unwrap();
    let link = "./evi%20dence/2013-11-25T061136Z-49.212.10.42-mail/";
    assert!(text.contains(&format!("href=\"{link}\"")), "a link to {link}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else stays");

    let json = path("eve.json");
    run(&["-q", "-r", "seed-attack.pcap", "--json", &json, "--stats-interval", "1s"]);
    run(&["report", &json, "-o", &page, "--evidence", &evidence]);
    assert!(fs::read_to_string(&page).unwrap().contains(link));
    fs::remove_dir_all(folder.path().join("evi dence/2013-11-25T061136Z-49.212.10.42-mail")).unwrap();
    run(&["report", &json, "-o", &page, "--evidence", &evidence]);
    assert!(!fs::read_to_string(&page).unwrap().contains("href"), "no link to what is not there");
}

#[test]
fn a_page_that_cannot_be_written_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("no/page.html").to_str().unwrap().to_owned();
    for arguments in [vec!["-r", "seed-attack.pcap", "--html", &page], vec!["report", "LIST", "-o", &page]] {
        let ran = run(&arguments);
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.stderr.contains(&format!("{page:?}: ")) && ran.stderr.lines().count() == 1,
            "{}",
            ran.stderr
        );
    }
    assert!(captures().join("LIST").is_file());
}
