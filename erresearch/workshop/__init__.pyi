from erresearch.workshop.exercises import (
    EXERCISES as EXERCISES,
    Outcome as Outcome,
    assess as assess,
    check as check,
)
from erresearch.workshop.sliders import (
    EXPLORATIONS as EXPLORATIONS,
    Exploration as Exploration,
    View as View,
    choose as choose,
    explore as explore,
    slider_box as slider_box,
    static_picture as static_picture,
    static_table as static_table,
    unrelated as unrelated,
)
