//! Music, films and series: one title may be any of them, and a name may sing, act or direct.

use super::TaskGrammar;
use super::lexicons::SHARED;

/// The `media` task.
pub(super) const TASK: TaskGrammar = TaskGrammar {
    name: "media",
    lexicons: SHARED,
    slots: &[
        (
            "artist",
            "<person>|<person>|the (wolves|foxes|owls)|<adjective> (wolves|foxes|owls)|the <adjective> (wolves|foxes|\
             owls)",
        ),
        ("track", "<title>"),
        ("album", "<title>"),
        ("film", "<title>"),
        ("series", "<title>"),
        ("playlist", "<evening>|<weekday> (mix|songs)|<adjective> (mix|songs)|morning coffee|the <room> mix"),
        ("genre", "jazz|rock|pop|folk|comedy|drama|soft jazz|indie rock|hip hop|dark comedy|science fiction"),
        ("service", "playbox|soundnest|river radio|blue stream|night channel"),
        ("director", "<person>"),
        ("actor", "<person>"),
        ("year", "<year>"),
        ("rating", "two|three|four|five|ten"),
        ("season", "<digit>|ten|twelve"),
        ("episode", "<small>|twenty <digit>"),
    ],
    sentences: &[
        "play {track} by {artist} [on {service}]",
        "play [some] {genre} (by|from) {artist} [on {service}]",
        "add {track} to (my|the) {playlist} playlist",
        "put {artist} (on|in) my {playlist} playlist",
        "play the album {album} [by {artist}] [on {service}]",
        "(hear|start) {album} the {year} album by {artist}",
        "who (directed|made) {film} in {year}",
        "show [me] (the|a) {genre} film by director {director}",
        "[find] a {genre} film with {actor} from {year}",
        "is {actor} in {film} or {film}",
        "(play|watch) season {season} episode {episode} of {series}",
        "watch episode {episode} of {series} [season {season}] on {service}",
        "give the (film {film}|series {series}|album {album}) {rating} stars",
        "{artist} released {album} in {year}",
        "{director} directed {film} with {actor}",
        "the film {film} by {director} opened in {year}",
        "{actor} (stars|plays) in {film} directed by {director}",
        "{actor} and {actor} star in the series {series}",
        "which {genre} track by {artist} is from {year}",
        "what rating does {film} have on {service}",
        "create a playlist (called|named) {playlist} with {artist}",
        "{artist} sings {track} on the album {album}",
        "which service has the film {film} and the series {series}",
        "rate {album} by {artist} {rating} stars",
        "what year did {artist} release {track}",
        "the actor {actor} left {series} after season {season}",
        "(change|switch) the genre from {genre} to {genre} on {service}",
        "[play] more from the artist {artist} on {service}",
    ],
};
