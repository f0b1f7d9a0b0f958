//! Which variables move together, and what follows from it.

use candle_core::{Tensor, Var};

use super::check::GradientCheck;
use super::comparison::{Along, Comparison, OFF_BY, SURE, Shows};
use super::differences::Values;
use super::place::{Gradient, Loss, Place, epsilon, scalar};
use super::point::{Point, dot};
use super::report::{GradientReport, VariableReport, Verdict};
use crate::{Error, Result};

/// The part of its own derivative that may be unclear of a variable that is judged with others.
const UNCLEAR: f64 = 0.2;

/// The part of a loss by which it should change at most.
const CHANGE: f64 = 0.05;

/// The smallest tolerance, whatever the type.
const SMALLEST_TOLERANCE: f64 = 1e-5;

/// Variables with wrong gradients after which groups are no longer divided.
const ENOUGH: usize = 8;

/// Forward passes after which a group whose gradients are right together, but unclear one by one, is no longer divided.
const MANY: usize = 150;

/// How often a derivative that differs from the gradient is looked at again, each time with a smaller step.
const LOOKS: usize = 2;

/// How often the loss is computed to see how much rounding changes it.
const SAMPLES: u64 = 3;

/// Random directions of these numbers and above are for rounding.
const FOR_ROUNDING: u64 = u64::MAX / 2;

/// A check that runs.
pub(super) struct Run<'a> {
    check: &'a GradientCheck,
    vars: &'a [(String, Var)],
    loss: &'a mut Loss<'a>,
    point: Point<'a>,
    gradients: Vec<Gradient>,
    /// The loss at the point, its error, and the epsilon of its type.
    value: f64,
    noise: f64,
    epsilon: f64,
    verdicts: Vec<Option<VariableReport>>,
    passes: usize,
}

impl<'a> Run<'a> {
    /// Runs `check`.
    pub(super) fn check(
        check: &'a GradientCheck,
        vars: &'a [(String, Var)],
        loss: &'a mut Loss<'a>,
    ) -> Result<GradientReport> {
        if vars.is_empty() {
            return Ok(GradientReport { variables: Vec::new(), frozen: Vec::new(), passes: 0 });
        }
        let mut run = Self::start(check, vars, loss)?;
        run.measure_noise()?;
        run.judge_all()?;
        let Self { point, verdicts, passes, .. } = run;
        point.leave()?;
        Ok(GradientReport { variables: verdicts.into_iter().flatten().collect(), frozen: Vec::new(), passes })
    }

    /// Goes to the point, and computes the gradients there.
    fn start(check: &'a GradientCheck, vars: &'a [(String, Var)], loss: &'a mut Loss<'a>) -> Result<Self> {
        let mut epsilon = vars
            .iter()
            .map(|(name, var)| epsilon(name, var))
            .try_fold(0., |epsilon, of| Ok::<f64, Error>(f64::max(epsilon, of?)))?;
        let Place { point, value, epsilon: of_loss, gradients, passes } = Place::find(check, vars, loss)?;
        epsilon = epsilon.max(of_loss);
        let verdicts = vec![None; vars.len()];
        Ok(Self { check, vars, loss, point, gradients, value, noise: 0., epsilon, verdicts, passes })
    }

    fn value(&mut self) -> Result<f64> {
        self.passes += 1;
        scalar(&(self.loss)()?)
    }

    /// How much the loss changes if the variables move by less than matters.
    fn measure_noise(&mut self) -> Result<()> {
        let again = self.value()?;
        if again != self.value {
            return Err(Error::Mismatch(format!(
                "gradient check: two passes at the same values give the losses {} and {again}; expected a loss that is a function of \
                 the variables: switch dropout off or seed it, and clear caches before each pass",
                self.value
            )));
        }
        let all: Vec<usize> = (0..self.vars.len()).collect();
        self.noise = self.epsilon * self.value.abs();
        for sample in 0..SAMPLES {
            let direction =
                |&number: &usize| Ok((self.point.random(number, FOR_ROUNDING + sample)? * self.point.length(number))?);
            let directions = all.iter().map(direction).collect::<Result<Vec<_>>>()?;
            self.point.go(&all, &directions, 2. * self.epsilon)?;
            let moved = self.value()?;
            self.noise = self.noise.max((moved - self.value).abs());
        }
        self.point.back()
    }

    fn judge_all(&mut self) -> Result<()> {
        let (known, rest): (Vec<usize>, Vec<usize>) =
            (0..self.vars.len()).partition(|number| self.gradient(*number).is_some());
        let alone = rest.into_iter().map(|number| vec![number]);
        // The last group is taken first: variables without a gradient are the ones to name.
        let mut groups: Vec<Vec<usize>> =
            known.chunks(self.check.together.max(1)).map(<[usize]>::to_vec).rev().collect();
        groups.extend(alone.rev());
        while let Some(group) = groups.pop() {
            match group.as_slice() {
                [number] => self.judge_one(*number)?,
                [] => {}
                _ => groups.extend(self.judge_group(&group)?),
            }
        }
        Ok(())
    }

    fn directions(&self) -> impl Iterator<Item = Along> + use<> {
        std::iter::once(Along::Gradient).chain((0..self.check.directions).map(Along::Random))
    }

    /// The verdict on one variable.
    fn judge_one(&mut self, number: usize) -> Result<()> {
        if self.check.together > 1 && self.found_enough() {
            return self.note(number, Verdict::Unchecked, None);
        }
        let has_gradient = self.gradient(number).is_some();
        let mut clearest: Option<(Shows, Comparison)> = None;
        for along in self.directions().filter(|along| has_gradient || matches!(along, Along::Random(_))) {
            let comparison = self.compare(&[number], along)?;
            let shows = comparison.shows();
            let clearer =
                |(before, other): &(Shows, Comparison)| (*before, other.error()) < (shows, comparison.error());
            if clearest.as_ref().is_none_or(clearer) {
                clearest = Some((shows, comparison));
            }
        }
        let is_in_graph = self.gradients.get(number).is_some_and(|gradient| gradient.value.is_some());
        let (shows, comparison) = clearest.unzip();
        let verdict = match shows.unwrap_or(Shows::Nothing) {
            Shows::Wrong if has_gradient => Verdict::Wrong,
            Shows::Wrong => Verdict::Missing,
            Shows::Right => Verdict::Right,
            Shows::Nothing if is_in_graph => Verdict::Flat,
            Shows::Nothing => Verdict::Unused,
        };
        self.note(number, verdict, comparison.as_ref())
    }

    /// The verdicts on several variables at once. Returns the groups that must be looked at again, each smaller than this one.
    fn judge_group(&mut self, group: &[usize]) -> Result<Vec<Vec<usize>>> {
        if self.found_enough() {
            group.iter().try_for_each(|number| self.note(*number, Verdict::Unchecked, None))?;
            return Ok(Vec::new());
        }
        let mut along_gradient = None;
        for along in self.directions() {
            let comparison = self.compare(group, along)?;
            if comparison.differs() {
                return Ok(halves(group));
            }
            along_gradient = along_gradient.or(Some(comparison));
        }
        let Some(comparison) = along_gradient else { return Ok(Vec::new()) };
        let unclear = comparison.gap() + comparison.hidden();
        let mut small = Vec::new();
        for (&number, part) in group.iter().zip(&comparison.parts) {
            match unclear <= UNCLEAR * part.abs() {
                true => self.note(number, Verdict::Right, Some(&comparison))?,
                false => small.push((part.abs(), number)),
            }
        }
        // Large parts hide small ones, so like ones stay together.
        small.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let largest = small.first().map_or(0., |(part, _)| *part);
        let smaller: Vec<usize> = small.iter().map(|(_, number)| *number).collect();
        if smaller.len() < group.len() {
            return Ok(vec![smaller]);
        }
        // Fewer variables are clearer, unless rounding is the reason.
        if SURE * comparison.differences.rounding < largest && self.passes < MANY {
            return Ok(halves(&smaller));
        }
        smaller.iter().try_for_each(|number| self.note(*number, Verdict::Flat, Some(&comparison)))?;
        Ok(Vec::new())
    }

    /// Compares the derivative along one direction for each variable of a group.
    fn compare(&mut self, group: &[usize], along: Along) -> Result<Comparison> {
        let factors = self.balance(group);
        let (mut directions, mut parts) = (Vec::new(), Vec::new());
        for (&number, factor) in group.iter().zip(factors) {
            let length = factor * self.point.length(number);
            let gradient = self.gradient(number);
            let direction = match (along, gradient) {
                (Along::Gradient, Some(gradient)) => {
                    let slope = self.gradients.get(number).map_or(1., |gradient| gradient.length);
                    (gradient * (length / slope))?
                }
                (Along::Gradient, None) => (self.point.random(number, 0)? * length)?,
                (Along::Random(direction), _) => (self.point.random(number, direction)? * length)?,
            };
            parts.push(gradient.map_or(Ok(0.), |gradient| dot(gradient, &direction))?);
            directions.push(direction);
        }
        let (found, size) = (parts.iter().sum(), parts.iter().map(|part: &f64| part.abs()).sum::<f64>());
        let relative = if group.len() == 1 { self.tolerance() } else { OFF_BY / group.len() as f64 };
        let (here, step, noise) = (self.value, self.step(size), self.noise);
        let mut values = Values { here, step, noise, wanted: relative * size / SURE };
        let mut loss_at = |times| {
            self.point.go(group, &directions, times)?;
            self.passes += 1;
            scalar(&(self.loss)()?)
        };
        let differences = values.slope(&mut loss_at)?;
        let mut comparison = Comparison { differences, found, parts, relative };
        for _ in 0..LOOKS {
            if comparison.differs() {
                comparison.differences = values.look_again(comparison.differences, &mut loss_at)?;
            }
        }
        self.point.back()?;
        Ok(comparison)
    }

    /// The step, relative to the lengths of the variables, for a derivative of `size`.
    fn step(&self, size: f64) -> f64 {
        let best = self.epsilon.powf(0.2);
        // The loss should change by a small part of itself, but a loss near zero needs a step too.
        if size > 0. { best.min(CHANGE * (self.value.abs() / size + best)) } else { best }
    }

    /// Factors that make the parts of the variables of a group more alike: where the derivative of one is far larger than usual, it
    /// moves less, so that it does not drown the others.
    fn balance(&self, group: &[usize]) -> Vec<f64> {
        let part = |number: &usize| self.gradients.get(*number).map_or(0., |g| g.length * self.point.length(*number));
        let parts: Vec<f64> = group.iter().map(part).collect();
        let mut sorted = parts.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        // Less than a hundredth of a step would be lost in the rounding of the variable.
        parts.iter().map(|part| if *part > usual { (usual / part).max(0.01) } else { 1. }).collect()
    }

    fn tolerance(&self) -> f64 {
        self.check.tolerance.unwrap_or_else(|| self.epsilon.powf(0.4).max(SMALLEST_TOLERANCE))
    }

    fn gradient(&self, number: usize) -> Option<&Tensor> {
        self.gradients.get(number)?.nonzero()
    }

    fn found_enough(&self) -> bool {
        self.verdicts.iter().flatten().filter(|variable| variable.verdict.is_bad()).count() >= ENOUGH
    }

    fn note(&mut self, number: usize, verdict: Verdict, comparison: Option<&Comparison>) -> Result<()> {
        let name = self.vars.get(number).map(|(name, _)| name.clone()).unwrap_or_default();
        let [expected, found, error] = comparison.map_or([0.; 3], |c| [c.differences.value, c.found, c.error()]);
        if let Some(place) = self.verdicts.get_mut(number) {
            *place = Some(VariableReport { name, verdict, expected, found, error });
        }
        Ok(())
    }
}

/// The last half comes first, because the last group is taken first.
fn halves(group: &[usize]) -> Vec<Vec<usize>> {
    let (one, other) = group.split_at(group.len() / 2);
    vec![other.to_vec(), one.to_vec()]
}
