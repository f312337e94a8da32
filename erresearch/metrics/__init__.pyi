from erresearch.metrics.comparisons import compare_rates as compare_rates
from erresearch.metrics.money import (
    BreakEven as BreakEven,
    break_even as break_even,
    romi_gross as romi_gross,
    romi_incremental as romi_incremental,
    romi_net as romi_net,
)
from erresearch.metrics.published_bands import (
    Band as Band,
    Banding as Banding,
    TierPosition as TierPosition,
    band as band,
    bands as bands,
    cautions as cautions,
    percentile_in_tier as percentile_in_tier,
)
from erresearch.metrics.rates import (
    DEFINITIONS as DEFINITIONS,
    PLATFORMS as PLATFORMS,
    RateDefinition as RateDefinition,
    Rates as Rates,
    engagement_rate as engagement_rate,
)
from erresearch.metrics.shares import (
    NpsSeries as NpsSeries,
    enps as enps,
    nps as nps,
    nps_over_time as nps_over_time,
    proportion as proportion,
)
