from erresearch.worlds.panels import (
    WORLDS as WORLDS,
    Design as Design,
    Expected as Expected,
    ListWorld as ListWorld,
    PanelWorld as PanelWorld,
    Truth as Truth,
)
from erresearch.worlds.shop_exports import (
    SHOP_WORLDS as SHOP_WORLDS,
    example_exports as example_exports,
    simulate_shop as simulate_shop,
)
from erresearch.worlds.simulation import (
    CASES as CASES,
    CaseWorld as CaseWorld,
    Simulation as Simulation,
    simulate as simulate,
    simulate_panel as simulate_panel,
)
