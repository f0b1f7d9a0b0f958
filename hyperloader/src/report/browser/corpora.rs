//! Subjects with the same sentences.

use super::super::subject::Subject;

/// The sentences of one corpus, as several models labelled them.
#[derive(Debug)]
pub(super) struct Corpus<'a> {
    /// The task; with a number where several corpora have one task's name.
    pub(super) name: String,
    /// At least one; all have the same words and gold tags.
    pub(super) subjects: Vec<Subject<'a>>,
}

/// Groups subjects that have the same task, words and gold tags. Where corpora of one name differ, each gets a number.
pub(super) fn corpora<'a>(subjects: &[Subject<'a>]) -> Vec<Corpus<'a>> {
    let mut corpora: Vec<Corpus<'a>> = Vec::new();
    for subject in subjects {
        let is_same =
            |corpus: &&mut Corpus<'_>| corpus.subjects.first().is_some_and(|first| have_same_sentences(first, subject));
        match corpora.iter_mut().find(is_same) {
            Some(corpus) => corpus.subjects.push(*subject),
            None => corpora.push(Corpus { name: String::new(), subjects: vec![*subject] }),
        }
    }
    let tasks: Vec<&str> = corpora.iter().filter_map(|corpus| Some(corpus.subjects.first()?.task)).collect();
    for (index, corpus) in corpora.iter_mut().enumerate() {
        let Some(task) = tasks.get(index) else { continue };
        let earlier = tasks.iter().take(index).filter(|other| other == &task).count();
        let is_alone = tasks.iter().filter(|other| other == &task).count() == 1;
        corpus.name = if is_alone { (*task).to_owned() } else { format!("{task} ({})", earlier + 1) };
    }
    corpora
}

fn have_same_sentences(a: &Subject<'_>, b: &Subject<'_>) -> bool {
    let pairs = || a.sentences.iter().zip(b.sentences);
    a.task == b.task
        && a.sentences.len() == b.sentences.len()
        && pairs().all(|(a, b)| a.words == b.words && a.gold_tags == b.gold_tags)
}
