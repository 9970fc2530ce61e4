# A subscriber to the streamaffect feed in R, with pbdZMQ and jsonlite
# (install.packages(c("pbdZMQ", "jsonlite")); Debian and Ubuntu: apt install r-cran-pbdzmq r-cran-jsonlite).
#
#   Rscript subscribe.R [tcp://127.0.0.1:5556] [seconds] [out.csv]
#
# Prints a summary of each face at the end, and writes the estimates as CSV where a file is named.
# docs/wire-protocol.md explains topics and fields. For a look at the newest values alone, the page's address is enough:
#   jsonlite::fromJSON("http://127.0.0.1:8765/v1/latest")$estimates
suppressPackageStartupMessages(library(pbdZMQ))
library(jsonlite)

words <- commandArgs(trailingOnly = TRUE)
address <- if (length(words) > 0) words[1] else "tcp://127.0.0.1:5556"
seconds <- if (length(words) > 1) as.numeric(words[2]) else 10

context <- zmq.ctx.new()
socket <- zmq.socket(context, ZMQ.ST()$SUB)
zmq.connect(socket, address)
for (kind in c("meta/", "affect/")) zmq.setsockopt(socket, ZMQ.SO()$SUBSCRIBE, kind)

rows <- list()
until <- Sys.time() + seconds
while (Sys.time() < until) {
  zmq.poll(c(socket), c(ZMQ.PO()$POLLIN), timeout = 100L) # waits so many ms for a message; then looks at the time
  if (zmq.poll.get.revents(1) == 0) next
  frames <- zmq.recv.multipart(socket, unserialize = FALSE) # a topic and a payload
  message <- fromJSON(rawToChar(frames[[2]]), simplifyVector = TRUE)
  stopifnot(message$v == 1) # another schema needs another reader
  if (message$kind == "meta") {
    cat(sprintf("%s: %s. %s\n", message$stream, message$model, message$notice))
  } else if (!isTRUE(message$`repeat`)) { # what is repeated is meant for those who have just subscribed
    number <- function(value) if (is.null(value)) NA_real_ else value # null while the stream abstains
    rows[[length(rows) + 1]] <- data.frame(
      stream = message$stream, face = message$track, seq = message$seq,
      captured_s = message$t_capture_ns / 1e9, status = message$status,
      valence = number(message$valence), arousal = number(message$arousal)
    )
  }
}
zmq.close(socket)
zmq.ctx.destroy(context)

if (length(rows) == 0) stop("no estimate came within ", seconds, " s from ", address)
estimates <- do.call(rbind, rows)
for (name in unique(estimates$stream)) {
  lost <- sum(diff(sort(unique(estimates$seq[estimates$stream == name]))) - 1) # seq has no gaps
  cat(sprintf("%s: %d estimates, %d lost\n", name, sum(estimates$stream == name), lost))
}
print(aggregate(cbind(valence, arousal) ~ stream + face, data = estimates, FUN = mean))
if (length(words) > 2) write.csv(estimates, words[3], row.names = FALSE)
