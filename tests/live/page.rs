//! `--html` live: the page is written at the end, by a user without rights, in a folder that Landlock guards.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::program::Program;
use crate::scene::{ATTACKER, Scene};

/// Connections of the flood; the limit is 30.
const FLOOD: usize = 40;

#[test]
fn a_live_run_leaves_a_page_and_nothing_beside_it() {
    let Some(scene) = Scene::set() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, "old").unwrap();
    fs::set_permissions(&page, Permissions::from_mode(0o666)).unwrap();
    let mut program =
        Program::watch(&scene.gateway, &format!("-i outer -n --user nobody --html {}", page.display()));
    scene.flood(&[ATTACKER], FLOOD, 1000);
    program.err.wait_for("flood start src=198.51.100.66");
    program.wait_for_attempts(FLOOD);
    assert_eq!(fs::read_to_string(&page).unwrap(), "old", "the old page stays until the new one is whole");
    let ended = program.stop(Signal::INT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let text = fs::read_to_string(&page).unwrap();
    for part in ["<h1>1 flood on outer</h1>", "198.51.100.66", "Nothing was lost."] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.contains(&format!("<dt>attempts</dt><dd>{}", ended.summary("attempts"))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
