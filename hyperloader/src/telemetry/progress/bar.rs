//! The bar of a terminal.

use std::ffi::OsStr;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ProgressOptions;

/// A bar on stderr. Its first step draws it.
pub(super) fn on_stderr(options: ProgressOptions) -> ProgressBar {
    bar(options, colored(std::env::var_os("NO_COLOR").as_deref()), ProgressDrawTarget::stderr())
}

fn bar(options: ProgressOptions, color: bool, target: ProgressDrawTarget) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(options.total_steps as u64), ProgressDrawTarget::hidden());
    let bar = bar.with_style(style(color));
    // The speed must not count the steps of an earlier session.
    bar.set_position(options.done_steps as u64);
    bar.reset_eta();
    bar.set_draw_target(target);
    bar
}

fn colored(no_color: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty)
}

fn template(color: bool) -> String {
    let bar = if color { "{bar:30.cyan/blue}" } else { "{bar:30}" };
    format!("{bar} {{pos}}/{{len}}  {{msg}}  {{per_sec}}  {{eta}} left  {{elapsed}} so far")
}

fn style(color: bool) -> ProgressStyle {
    // A test parses both templates; the default bar is used if that ever fails.
    ProgressStyle::with_template(&template(color)).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_templates_of_the_bar_are_valid() {
        for color in [true, false] {
            let options = ProgressOptions { total_steps: 9, done_steps: 4, ..ProgressOptions::default() };
            let bar = bar(options, color, ProgressDrawTarget::hidden());
            assert_eq!((bar.position(), bar.length()), (4, Some(9)));
            assert!(ProgressStyle::with_template(&template(color)).is_ok());
        }
    }

    #[test]
    fn a_resumed_run_counts_only_its_own_steps() {
        let options = ProgressOptions { total_steps: 1000, done_steps: 900, ..ProgressOptions::default() };
        let bar = bar(options, false, ProgressDrawTarget::hidden());
        std::thread::sleep(std::time::Duration::from_millis(20));
        bar.set_position(901);
        let speed = bar.per_sec();
        assert!(speed > 0.0 && speed < 60.0, "{speed} steps a second");
    }

    #[test]
    fn no_color_counts_only_if_it_is_not_empty() {
        assert!(colored(None) && colored(Some(OsStr::new(""))));
        assert!(!colored(Some(OsStr::new("1"))));
    }
}
