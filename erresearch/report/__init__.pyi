from erresearch.report import figures as figures
from erresearch.report.html import ClaimRecord as ClaimRecord, write_report as write_report
from erresearch.report.reproduction import living_curve as living_curve
from erresearch.report.sentences import answer as answer
