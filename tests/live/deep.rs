//! `-T --deep` with the rights that a start needs: interfaces, nft, and the user of the run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::namespace::Namespace;
use crate::program::{Ended, Program, synwatch};
use crate::scene::Scene;

/// What it prints, and the exit code.
fn deep(namespace: &Namespace, arguments: &str) -> Ended {
    let ended = Program::start(synwatch(namespace, &format!("-T --deep {arguments}"))).end();
    assert_eq!(ended.err, [""; 0], "{ended:#?}");
    ended
}

/// The line about this, without the result.
fn said<'a>(ended: &'a Ended, result: &str, what: &str) -> Vec<&'a str> {
    let begin = format!("{result} {what}: ");
    ended.out.iter().filter_map(|line| line.strip_prefix(&begin)).collect()
}

fn has_nft() -> bool {
    let is_there = synwatch::act::Nft::find().is_ok();
    assert!(is_there || std::env::var_os("CI").is_none_or(|ci| ci != "true"), "there is no nft");
    is_there
}

#[test]
fn root_tries_each_interface_and_writes_as_the_user_of_the_run() {
    let Some(scene) = Scene::set() else { return };
    // It belongs to root.
    let folder = tempfile::tempdir().unwrap();
    let (json, write) = (folder.path().join("eve.json"), folder.path().join("x.pcapng"));
    let outputs = format!("--json {} -w {}", json.display(), write.display());
    let ended = deep(&scene.gateway, &format!("-i outer -i inner -i missing --user nobody {outputs}"));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(
        said(&ended, "ok", "interfaces"),
        ["\"outer\" can be captured", "\"inner\" can be captured"],
        "{ended:#?}"
    );
    let missing = "cannot open interface \"missing\": no such device (-D lists interfaces)";
    assert_eq!(said(&ended, "failed", "interfaces"), [missing]);
    for (key, path) in [("json", &json), ("write", &write)] {
        let why = format!(
            "cannot write {path:?}: permission denied as user nobody (let its folder belong to nobody, or give \
             --user root)"
        );
        assert_eq!(said(&ended, "failed", key), [why], "{ended:#?}");
    }
    let rights = ended.out.iter().find(|line| line.contains(" rights: ")).unwrap();
    assert!(rights.contains("user nobody, capabilities cap_net_raw, no new privileges, "), "{rights}");

    std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let evidence = format!("--report-dir {}", folder.path().display());
    let ended = deep(&scene.gateway, &format!("-i outer --user nobody {outputs} {evidence} --exec sh"));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(said(&ended, "ok", "exec"), ["\"sh\" can be run by user nobody"]);
    for key in ["json", "write", "report_dir"] {
        assert_eq!(said(&ended, "ok", key).len(), 1, "{key}: {ended:#?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_program_that_the_user_of_the_run_may_not_execute_is_told() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\necho > /dev/null\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!("--exec {}", script.display());
    let ended = deep(&scene.gateway, &format!("-i outer --user nobody {exec}"));
    let why = format!("cannot run command {script:?}: permission denied");
    assert_eq!(said(&ended, "failed", "exec"), [why], "its folder is closed: {ended:#?}");
    let ended = deep(&scene.gateway, &format!("-i outer --user root {exec}"));
    assert_eq!(said(&ended, "ok", "exec"), [format!("{script:?} can be run by user root")], "{ended:#?}");
}

#[test]
fn the_table_is_checked_and_not_made() {
    let Some(scene) = Scene::set() else { return };
    if !has_nft() {
        return;
    }
    let ended = deep(&scene.gateway, "-i outer --user nobody --block nft");
    assert_eq!(said(&ended, "ok", "block"), ["nft may make the table inet synwatch"], "{ended:#?}");
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let tables = scene.gateway.command("nft").args(["list", "tables"]).output().unwrap();
    assert_eq!(String::from_utf8(tables.stdout).unwrap(), "", "{ended:#?}");
}

#[test]
fn without_rights_each_missing_one_is_told() {
    let Some(scene) = Scene::set() else { return };
    if !has_nft() {
        return;
    }
    let mut command = scene.gateway.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(synwatch_testkit::program_path());
    command.args("-T --deep -i outer --block nft --metrics 80 --control off".split(' '));
    let ended = Program::start(command).end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    for (what, begin) in [
        ("interfaces", "cannot open interface \"outer\": the capability CAP_NET_RAW is missing (run as root"),
        ("block", "cannot block: the capability CAP_NET_ADMIN is missing (run as root"),
        ("metrics", "cannot listen at 127.0.0.1:80 for --metrics: permission denied"),
    ] {
        let why = said(&ended, "failed", what);
        assert!(why.len() == 1 && why[0].starts_with(begin), "{what}: {ended:#?}");
    }
    assert_eq!(said(&ended, "ok", "configuration").len(), 1, "{ended:#?}");
}

#[test]
fn while_the_service_runs_what_it_holds_is_a_warning() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let options = format!("-i outer --metrics 9925 --control {}", control.display());
    let program = Program::watch(&scene.gateway, &options);
    let ended = deep(&scene.gateway, &options);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(said(&ended, "warning", "metrics").len(), 1, "{ended:#?}");
    let taken = format!("{control:?}: another synwatch listens there (the service?)");
    assert_eq!(said(&ended, "warning", "control"), [taken], "{ended:#?}");
    assert_eq!(said(&ended, "ok", "interfaces"), ["\"outer\" can be captured"], "{ended:#?}");
    drop(program);
}

#[test]
fn the_folder_for_what_is_allowed_by_hand_is_tried() {
    let Some(scene) = Scene::set() else { return };
    // It belongs to root.
    let folder = tempfile::tempdir().unwrap();
    let (state, control) = (folder.path().join("state"), folder.path().join("control"));
    let options = format!("-i outer --control {} --state-dir {}", control.display(), state.display());
    let ended = deep(&scene.gateway, &options);
    let why = format!("cannot use {state:?} for --state-dir: no such file or directory");
    assert_eq!(
        (ended.code, said(&ended, "failed", "state_dir")),
        (Some(1), vec![why.as_str()]),
        "{ended:#?}"
    );

    fs::create_dir(&state).unwrap();
    let ended = deep(&scene.gateway, &format!("{options} --user nobody"));
    let warning = said(&ended, "warning", "state_dir").concat();
    let begin = format!(
        "what is allowed by hand is not kept over a restart: cannot write {state:?}: permission denied"
    );
    assert!(ended.code == Some(0) && warning.starts_with(&begin), "{ended:#?}");

    let ended = deep(&scene.gateway, &format!("{options} --user root"));
    let ok = format!("{state:?} can keep what is allowed by hand");
    assert_eq!((ended.code, said(&ended, "ok", "state_dir")), (Some(0), vec![ok.as_str()]), "{ended:#?}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is left behind");
}
