//! The configuration file and the files that it names.

use super::*;

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("latin1.toml"), b"utc = true\n# caf\xe9\n").unwrap();
    for (path, error) in [
        (file("missing"), "cannot read configuration \"X\": no such file or directory"),
        (folder.path().display().to_string(), "cannot read configuration \"X\": is a directory"),
        (
            "/dev/zero".to_owned(),
            "configuration \"X\": larger than 1MiB (is it a configuration of synwatch?)",
        ),
        (file("latin1.toml"), "X:2:6: not UTF-8 (save it as UTF-8)"),
    ] {
        let cli = Cli::read(["synwatch", "-i", "eth0", "-c", &path]).unwrap();
        assert_eq!(Settings::new(cli).unwrap_err().to_string(), error.replace('X', &path));
    }
}

#[test]
fn paths_in_a_file_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), "allow_files = [\"mine\", \"broken\"]\n").unwrap();
    fs::write(folder.path().join("mine"), "192.0.2.1\n").unwrap();
    fs::write(folder.path().join("broken"), "\nmx1\n").unwrap();
    let path = folder.path().join("x.toml").display().to_string();
    let cli = Cli::read(["synwatch", "-i", "eth0", "-c", &path]).unwrap();
    let broken = folder.path().join("broken").display().to_string();
    assert_eq!(
        Settings::new(cli).unwrap_err().to_string(),
        format!(
            "{path}:1:24: allow_files: allow-file {broken:?}: line 2: \"mx1\": no address or network \
             (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)"
        )
    );
}

#[test]
fn the_files_for_a_reload_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let [config, allow] = ["x.toml", "allow.txt"].map(|name| folder.path().join(name));
    fs::write(&config, "allow_files = \"allow.txt\"").unwrap();
    fs::write(&allow, "192.0.2.1\n").unwrap();
    let words = ["synwatch", "-i", "eth0", "-c", config.to_str().unwrap()];
    assert_eq!(Settings::new(Cli::read(words).unwrap()).unwrap().files, [config, allow]);
}
