//! The view on a terminal: one bar, with messages printed above it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgbackfill::report::{Tally, escaped};
use pgbackfill::{Event, Observer};

use super::{Clock, message};

/// A bar that is redrawn from a tally.
pub(super) struct Bar {
    drawn: ProgressBar,
    tally: Mutex<Tally>,
    clock: Clock,
    /// The look of the bar from the moment when loading begins.
    loading: ProgressStyle,
}

/// More is not seen, and less looks broken.
pub(super) const DRAWS_PER_SECOND: u8 = 10;

/// The bar counts thousandths of the run's work.
const STEPS: u16 = 1000;

const BAR: &str = "{spinner} {bar:20} {percent:>3}% {wide_msg}";
const COLORED_BAR: &str = "{spinner:.cyan} {bar:20.cyan/dim} {percent:>3}% {wide_msg}";

/// Until loading begins there is nothing to measure.
const STEP: &str = "{spinner} {wide_msg}";

impl Bar {
    pub(super) fn new(clock: Clock, no_color: bool) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(u64::from(STEPS)), target);
        bar.set_style(style(STEP));
        let loading = style(if no_color { BAR } else { COLORED_BAR });
        Self { drawn: bar, tally: Mutex::new(Tally::new()), clock, loading }
    }

    /// Redraws the bar from the tally.
    pub(super) fn draw(&self) {
        let now = self.clock.now();
        let (line, share) = {
            let tally = self.tally();
            (tally.line(now), tally.share())
        };
        self.drawn.set_position(steps(share));
        self.drawn.set_message(escaped(&line).into_owned());
        self.drawn.tick();
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // A tally is whole between any two of its statements.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Bar {
    fn observe(&self, event: &Event) {
        self.tally().note(event, self.clock.now());
        if let Some(text) = message(event) {
            self.drawn.println(escaped(&text));
        }
        match event {
            Event::Started { .. } => self.drawn.set_style(self.loading.clone()),
            Event::Finished(_) => self.drawn.finish_and_clear(),
            _ => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are well-formed").progress_chars("━╸─")
}

/// `share` of the bar's steps; only a finished run fills it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and STEPS, and the cast saturates"
)]
fn steps(share: f64) -> u64 {
    (share * f64::from(STEPS)).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_well_formed() {
        for template in [STEP, BAR, COLORED_BAR] {
            style(template);
        }
    }

    #[test]
    fn the_bar_is_full_only_at_the_end() {
        assert_eq!(steps(0.0), 0);
        assert_eq!(steps(0.9999), 999);
        assert_eq!(steps(1.0), 1000);
    }
}
