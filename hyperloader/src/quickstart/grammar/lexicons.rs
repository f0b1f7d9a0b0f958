//! The words that the tasks share.

use super::Rule;

/// Sorted so that each uses only those above it. A word in two lexicons is there on purpose: `sydney` is a city
/// and a first name, `stone` a surname and a word of titles.
pub(super) const SHARED: &[Rule] = &[
    // Numbers.
    ("digit", "one|two|three|four|five|six|seven|eight|nine"),
    ("small", "two|three|four|five|six|seven|eight|nine|ten|twelve"),
    ("tens", "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"),
    ("level", "<tens>|<tens> <digit>|<tens> <digit>"),
    ("year", "nineteen (eighty|ninety) <digit>|two thousand <small>|twenty (ten|twelve|twenty)"),
    // Days and hours.
    ("weekday", "monday|tuesday|wednesday|thursday|friday|saturday|sunday"),
    ("month", "january|march|april|may|june|august|october|december"),
    ("ordinal", "first|second|third|fourth|fifth|sixth|tenth"),
    ("date", "<weekday>|<weekday> (morning|evening)|<month> <ordinal>|the <ordinal>"),
    ("hour", "<small>|<digit> thirty|<small> (am|pm)|half past <digit>|(noon|midnight)"),
    // Places.
    (
        "town",
        "athens|austin|berlin|boston|cairo|denver|dublin|florence|lima|madrid|oslo|paris|rome|sydney|tokyo|vienna",
    ),
    (
        "metropolis",
        "buenos aires|cape town|hong kong|las vegas|los angeles|mexico city|new delhi|new york|saint louis|san diego|\
         san juan|santa fe",
    ),
    ("city", "<town>|<metropolis>"),
    (
        "room",
        "kitchen|bedroom|office|garage|basement|hall|living room|dining room|guest room|game room|music room|\
         laundry room",
    ),
    // People.
    ("first", "anna|austin|ben|clara|david|emma|florence|james|julia|maria|oscar|ruby|sam|sydney|victor"),
    ("last", "brooks|field|hill|lopez|meyer|miller|north|rivers|silver|stone|woods|young"),
    ("person", "<first>|<first> <last>"),
    // Names of things that are made.
    ("adjective", "blue|broken|golden|green|grand|little|midnight|red|silent|silver|summer|wild|young"),
    ("thing", "bridge|fire|garden|harbor|hill|island|lake|light|mountain|night|rain|river|road|stone|storm|window"),
    (
        "title",
        "<thing>|the <thing>|<adjective> <thing>|<adjective> <thing>|<thing> and <thing>|nights in <town>|\
         <weekday> (rain|fire)|<digit> (rivers|stones|roads)",
    ),
    ("evening", "dinner party|movie night|game night|friday party|good morning"),
];
