//! Running commands, finding what they need, and installing it where that is possible without asking.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Where the gates work and how they talk.
pub(crate) struct Context {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The directory for build output, as cargo would choose it.
    pub(crate) target: PathBuf,
    /// Tools print as they go instead of only when they fail.
    pub(crate) verbose: bool,
    /// `CI=true`: a skip is a failure.
    pub(crate) ci: bool,
}

impl Context {
    pub(crate) fn from_environment(verbose: bool) -> Result<Self> {
        let manifest = std::env::var("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("xtask has no parent directory")?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => root.join(target),
            None => root.join("target"),
        };
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        Ok(Self {
            root,
            target,
            verbose,
            ci,
        })
    }

    /// `cargo` with these arguments, at the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// Every file of the repository that git knows or would add, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&self.root);
        let (success, paths) = capture(&mut git)?;
        if !success {
            bail!("git does not list the files: {paths}");
        }
        Ok(paths.split_terminator('\0').map(str::to_owned).collect())
    }

    /// Runs a command that must succeed; its output shows only when it does not, or with `--verbose`.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        if self.verbose {
            return self.stream(command);
        }
        let (success, output) = capture(command)?;
        if !success {
            println!("{}", shortened(&output));
            bail!("`{}` failed", line(command));
        }
        Ok(())
    }

    /// Runs a command that must succeed and lets its output through as it comes.
    pub(crate) fn stream(&self, command: &mut Command) -> Result<()> {
        println!("   $ {}", line(command));
        let status = command
            .stdin(Stdio::null())
            .status()
            .with_context(|| cannot_start(command))?;
        if !status.success() {
            bail!("`{}` failed ({status})", line(command));
        }
        Ok(())
    }

    /// Skips the gate while a file that it runs does not exist.
    pub(crate) fn needs_file(&self, path: &str) -> Result<()> {
        if self.root.join(path).exists() {
            return Ok(());
        }
        skip(format!("{path} does not exist; the gate runs once it does"))
    }
}

/// Why a gate could not run here and how to change that. Travels as an error, ends as a skip.
#[derive(Debug)]
pub(crate) struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Ends a gate as skipped. The reason reads `why; how to get it`.
pub(crate) fn skip<T>(reason: impl Into<String>) -> Result<T> {
    Err(Skip(reason.into()).into())
}

/// Runs a command and returns whether it succeeded, and standard output and error as one text.
pub(crate) fn capture(command: &mut Command) -> Result<(bool, String)> {
    let (mut reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    // The command holds our ends of the pipe: while they are open the reader sees no end of file.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut output = Vec::new();
    reader.read_to_end(&mut output)?;
    let success = child.wait()?.success();
    Ok((success, String::from_utf8_lossy(&output).into_owned()))
}

/// Whether a command can be started and succeeds. Its output is of no interest.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    capture(command).is_ok_and(|(success, _)| success)
}

/// Runs a command that answers in milliseconds unless it hangs; after `limit` it is killed and that is an error.
/// Returns the exit code, `None` when a signal ended it.
pub(crate) fn guarded(command: &mut Command, limit: Duration) -> Result<Option<i32>> {
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| cannot_start(command))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!(
                "`{}` hung: killed after {} s",
                line(command),
                limit.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Which part of the work, of how many: `I/N`, counted from zero.
pub(crate) fn shard(text: &str) -> Result<(u64, u64)> {
    let parts = text.split_once('/');
    let parsed = parts.and_then(|(part, count)| Some((part.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((part, count)) if part < count => Ok((part, count)),
        _ => bail!("--shard I/N with I below N, for example 0/2"),
    }
}

/// Whether a program of that name is on the path.
pub(crate) fn found(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}

/// Makes sure that a program is there, installing its Debian package if need be.
pub(crate) fn program(name: &str, package: &str) -> Result<()> {
    if found(name) {
        return Ok(());
    }
    debian(&[package])?;
    if !found(name) {
        return skip(format!(
            "the package {package} brought no {name}; install {name} by hand"
        ));
    }
    Ok(())
}

/// Installs Debian packages; a skip where there is no apt-get, where we are not root, or where apt-get fails.
pub(crate) fn debian(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !found("apt-get") {
        return skip(format!(
            "not installed: {list} (Debian's names); install with your package manager"
        ));
    }
    let (_, user) = capture(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        return skip(format!(
            "not installed: {list}; sudo apt-get install {list}"
        ));
    }
    println!("   installing {list}");
    let mut update = Command::new("apt-get");
    update.args(["update", "-q"]);
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages);
    for command in [&mut update, &mut install] {
        let (success, output) = capture(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
        if !success {
            let last = output.lines().last().unwrap_or("no output");
            return skip(format!(
                "`{}` failed: {last}; apt-get install {list}",
                line(command)
            ));
        }
    }
    Ok(())
}

/// A command as one would type it, without its environment.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Output as long as one reads: of thousands of lines the first and the last ones.
fn shortened(output: &str) -> String {
    const FIRST: usize = 100;
    const LAST: usize = 50;
    let lines: Vec<&str> = output.lines().collect();
    if lines.len() <= FIRST + LAST {
        return lines.join("\n");
    }
    let left_out = format!(
        "   ... {} lines; all with --verbose ...",
        lines.len() - FIRST - LAST
    );
    [&lines[..FIRST], &[&left_out], &lines[lines.len() - LAST..]]
        .concat()
        .join("\n")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", line(command))
}

/// A directory outside the repository that disappears when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, making the directories that lead to it.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.0.join(path);
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        Ok(std::fs::write(path, text)?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: a directory left in the system's temporary place harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_returns_both_streams_and_the_verdict() {
        let (success, output) =
            capture(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 3"])).unwrap();
        assert_eq!((success, output.as_str()), (false, "a\nb\n"));
    }

    #[test]
    fn hanging_command_is_killed() {
        let hung = guarded(Command::new("sleep").arg("60"), Duration::from_millis(50));
        assert!(hung.unwrap_err().to_string().contains("hung"));
        let code = guarded(
            Command::new("sh").args(["-c", "exit 7"]),
            Duration::from_secs(60),
        );
        assert_eq!(code.unwrap(), Some(7));
    }

    #[test]
    fn long_output_keeps_its_first_and_last_lines() {
        let output: String = (0..1000).map(|number| format!("{number}\n")).collect();
        let short = shortened(&output);
        assert!(short.starts_with("0\n1\n") && short.ends_with("\n998\n999"));
        assert!(short.contains("850 lines"));
        assert_eq!(shortened("a\nb\n"), "a\nb");
    }
}
