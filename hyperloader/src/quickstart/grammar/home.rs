//! A house that listens: devices, reminders, calls and shopping.

use super::TaskGrammar;
use super::lexicons::SHARED;

/// The `home` task.
pub(super) const TASK: TaskGrammar = TaskGrammar {
    name: "home",
    lexicons: SHARED,
    slots: &[
        (
            "device",
            "lamp|fan|heater|speaker|radio|printer|floor lamp|night light|ceiling fan|coffee maker|washing machine|\
             air conditioner",
        ),
        ("room", "<room>"),
        ("temperature", "<level>"),
        ("brightness", "<level>"),
        ("volume", "<level>"),
        ("duration", "<small> (minutes|hours)|<level> (minutes|seconds)|half an hour"),
        ("color", "red|blue|green|orange|warm white|dark (red|blue)|light (green|orange)"),
        ("scene", "relax|party|<evening>"),
        ("contact", "<person>"),
        (
            "reminder",
            "(call|visit|thank) <first>|(clean|paint) the <room>|(buy|order) (milk|bread|coffee|green tea)|\
             feed the (cat|dog)|fix the (lamp|heater|window)",
        ),
        ("time", "<hour>"),
        ("alarm", "<hour>"),
        ("day", "<date>"),
        ("item", "milk|bread|coffee|red apples|green tea|olive oil|orange juice|dog food|light bulbs"),
        ("store", "<last> market|the <adjective> market|garden center|corner shop|bakery"),
    ],
    sentences: &[
        "[please] (turn|switch) (on|off) the {device} in the {room} [at {time}]",
        "(turn|switch) (on|off) the {room} {device} (for {duration}|at {time})",
        "(set|bring) the {room} [temperature] to {temperature} degrees [for {duration}]",
        "(keep|hold) the {room} at {temperature} degrees (until {time}|for {duration})",
        "[please] dim the {device} to {brightness} percent [in the {room}]",
        "(set|change) the {device} volume to {volume} percent [in the {room}]",
        "(lower|raise) the volume in the {room} to {volume} [for {duration}]",
        "set brightness to {brightness} and volume to {volume} [for {duration}]",
        "(make|turn) the {room} lights {color} (at {brightness} percent|at {time}|on {day}|for {duration})",
        "change the color of the {device} to {color} (at {time}|for {duration}|in the {room})",
        "(start|run) the {scene} scene in the {room} (at {time}|on {day})",
        "remind me to {reminder} (at {time}|on {day}|in {duration})",
        "set a reminder for {contact} to {reminder} on {day}",
        "set an alarm for {alarm} on {day}",
        "wake (me|us|{contact}) up at {alarm} [on {day}]",
        "move (my|the) {alarm} alarm to {alarm} [on {day}]",
        "call {contact} (at {time}|on {day}|in {duration})",
        "(tell|ask) {contact} to {reminder} [at {time}]",
        "add {contact} as a contact and call at {time}",
        "add {item} and {item} to the list [for {store}]",
        "(buy|order) {item} at {store} on {day}",
        "which store near {contact} has {item} [on {day}]",
        "{contact} turned (on|off) the {device} in the {room}",
        "{contact} left the {room} at {time} [on {day}]",
        "what time did {contact} leave the {room} on {day}",
        "set a duration of {duration} for (the|my) {device} [on {day}]",
        "every day at {time} (start|stop) the {device} [in the {room}]",
        "the last item was {item} from {store} on {day}",
        "(start|stop) the {device} when {contact} leaves the {room}",
        "which device in the {room} runs until {time} [on {day}]",
    ],
};
