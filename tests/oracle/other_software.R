# Figures of R's packages on the simulated tables of regressions.py, stored in other_software.json.
#
#     python tests/oracle/regressions.py --tables FOLDER
#     Rscript tests/oracle/other_software.R FOLDER tests/oracle/other_software.json
#
# Needs sandwich, plm, estimatr, clubSandwich, metafor and jsonlite (on Debian: r-cran-sandwich and so on).

suppressPackageStartupMessages({
  library(sandwich)
  library(plm)
  library(estimatr)
  library(clubSandwich)
  library(metafor)
  library(jsonlite)
})

arguments <- commandArgs(trailingOnly = TRUE)
panel <- read.csv(file.path(arguments[1], "panel.csv"), colClasses = c(account = "factor", week = "factor"))
panel$bought <- as.integer(panel$count > 0)

pairs_of <- function(estimate, covariance, names = c("x", "z")) {
  errors <- sqrt(diag(as.matrix(covariance)))
  lapply(setNames(names, names), function(name) unname(c(estimate[[name]], errors[[name]])))
}

pooled <- lm(y ~ x + z, panel)
counts <- glm(count ~ x + z, poisson, panel, epsilon = 1e-14, maxit = 100)
counts_within <- glm(count ~ x + z + account, poisson, panel, epsilon = 1e-14, maxit = 100)
binary <- glm(bought ~ x + z, binomial, panel, epsilon = 1e-14, maxit = 100)

out <- list()
for (type in c("HC1", "HC3")) {
  out[[paste("sandwich: vcovHC", type, "pooled")]] <- pairs_of(coef(pooled), vcovHC(pooled, type = type))
}
out[["sandwich: vcovCL HC1 pooled"]] <- pairs_of(coef(pooled), vcovCL(pooled, ~account, type = "HC1"))
# cadjust = FALSE leaves G/(G-1) out, HC0 leaves (n-1)/(n-k) out
out[["sandwich: vcovCL HC0 poisson"]] <-
  pairs_of(coef(counts), vcovCL(counts, ~account, type = "HC0", cadjust = FALSE))
out[["sandwich: vcovCL HC0 poisson with account dummies"]] <-
  pairs_of(coef(counts_within), vcovCL(counts_within, ~account, type = "HC0", cadjust = FALSE))
out[["sandwich: vcovCL HC0 logit"]] <-
  pairs_of(coef(binary), vcovCL(binary, ~account, type = "HC0", cadjust = FALSE))

for (kind in c("individual", "twoways")) {
  fit <- plm(y ~ x + z, panel, index = c("account", "week"), model = "within", effect = kind)
  out[[paste("plm: within", kind, "arellano HC0")]] <-
    pairs_of(coef(fit), vcovHC(fit, method = "arellano", type = "HC0"))
}

fit <- lm_robust(y ~ x + z, panel, clusters = account, fixed_effects = ~account, se_type = "stata")
out[["estimatr: lm_robust within, stata"]] <- pairs_of(coef(fit), vcov(fit))
fit <- lm_robust(y ~ x + z, panel, se_type = "HC3")
out[["estimatr: lm_robust pooled, HC3"]] <- pairs_of(coef(fit), vcov(fit))

# CR3 cannot leave out an account whose dummy is in the model: its mean is taken out beforehand instead
about_mean <- function(values) values - ave(values, panel$account)
weeks <- apply(model.matrix(~ week - 1, panel)[, -1], 2, about_mean)
demeaned <- data.frame(lapply(panel[c("y", "x", "z")], about_mean))
fits <- list(
  pooled = pooled,
  within = lm(y ~ 0 + x + z, demeaned),
  twoways = lm(y ~ 0 + x + z + weeks, demeaned)
)
for (name in names(fits)) {
  fit <- fits[[name]]
  out[[paste("clubSandwich: CR3", name)]] <- pairs_of(coef(fit), vcovCR(fit, panel$account, type = "CR3"))
}

survey <- read.csv(file.path(arguments[1], "survey.csv"))
score <- 100 * ((survey$score >= 9) - (survey$score <= 6))
size <- tapply(score, survey$date, length)
mean_score <- tapply(score, survey$date, mean)
# variance of a mean with the divisor n, as NPS has it
variance <- tapply(score, survey$date, function(v) mean((v - mean(v))^2)) / size
fit <- rma(as.vector(mean_score), as.vector(variance), method = "FE")
out[["metafor: rma FE, NPS by month"]] <- list(Q = fit$QE, p = fit$QEp, I2 = fit$I2)

out$versions <- sapply(
  c("sandwich", "plm", "estimatr", "clubSandwich", "metafor"), function(name) as.character(packageVersion(name)),
  simplify = FALSE
)
out$versions$R <- as.character(getRversion())
write(toJSON(out, digits = 15, auto_unbox = TRUE, pretty = TRUE), arguments[2])
