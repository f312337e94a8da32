# Random-effects meta-analyses by metafor, stored in meta_analysis.json.
#
#     Rscript tests/oracle/meta_analysis.R tests/oracle/meta_analysis.json
#
# Needs metafor and jsonlite (on Debian: r-cran-metafor, r-cran-jsonlite).

suppressPackageStartupMessages({
  library(metafor)
  library(jsonlite)
})

arguments <- commandArgs(trailingOnly = TRUE)
tight <- list(threshold = 1e-14, maxiter = 10000)
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
made_up <- list(
  # effects on the scale of the panels: one far more precise than the rest
  uneven = list(yi = c(0.0302, 0.0139, 0.0604, 0.0045, -0.02, 0.11), vi = c(0.005, 0.0035, 0.0115, 0.0034, 0.05, 0.04)^2),
  # nothing between sets: tau^2 is 0, and the fixed effect's interval is the wider one
  alike = list(yi = c(0.10, 0.101, 0.099, 0.1005, 0.0998), vi = rep(0.02, 5)^2),
  two = list(yi = c(0.03, 0.014), vi = c(0.005, 0.0035)^2)
)
cases <- c(list(bcg = list(yi = as.numeric(bcg$yi), vi = as.numeric(bcg$vi))), made_up)

one <- function(case) {
  fitted <- rma(yi, vi, data = as.data.frame(case), method = "REML", test = "knha", control = tight)
  fixed <- rma(yi, vi, data = as.data.frame(case), method = "FE")
  k <- length(case$yi)
  left <- if (k > 2) leave1out(fitted) else list(estimate = numeric(0))
  list(
    yi = case$yi, vi = case$vi,
    tau2 = fitted$tau2, mean = as.numeric(fitted$beta), se = fitted$se, low = fitted$ci.lb, high = fitted$ci.ub,
    fixed = as.numeric(fixed$beta), fixed_se = fixed$se, q = fitted$QE, p = fitted$QEp, i2 = fitted$I2 / 100,
    half = if (k > 2) qt(0.975, k - 2) * sqrt(fitted$tau2 + fitted$se^2) else NA,
    left_out = as.numeric(left$estimate)
  )
}
write_json(lapply(cases, one), arguments[1], digits = 15, auto_unbox = TRUE, pretty = TRUE, na = "null")
