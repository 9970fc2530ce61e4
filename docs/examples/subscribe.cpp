// A subscriber to the streamaffect feed in C++17, with cppzmq and nlohmann's JSON
// (Debian and Ubuntu: apt install cppzmq-dev nlohmann-json3-dev; vcpkg and Conan have both too).
//
//   g++ -std=c++17 -O2 subscribe.cpp -lzmq -o subscribe && ./subscribe [tcp://127.0.0.1:5556] [stream]
//
// One line per estimate. docs/wire-protocol.md explains topics, fields and the three rules that are numbered below.
#include <cstdint>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

int main(int count, char** words) {
  const std::string address = count > 1 ? words[1] : "tcp://127.0.0.1:5556";
  const std::string stream = count > 2 ? std::string(words[2]) + "/" : "";
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::sub);
  socket.connect(address);
  for (const char* kind : {"meta/", "event/", "health/", "affect/"}) socket.set(zmq::sockopt::subscribe, kind + stream);

  std::set<std::string> seen_topics;
  std::map<std::string, std::int64_t> last_seq;  // stream → seq
  std::int64_t lost = 0;
  for (;;) {
    zmq::message_t topic, payload;
    if (!socket.recv(topic) || !socket.recv(payload)) continue;
    const auto message = nlohmann::json::parse(payload.to_string_view());
    if (message.at("v") != 1) {
      std::cerr << "schema v" << message.at("v") << ": this subscriber reads v1\n";
      return 1;
    }
    const bool repeat = message.value("repeat", false);
    // Rule 1: a repeat is meant for somebody who has just subscribed.
    if (!seen_topics.insert(topic.to_string()).second && repeat) continue;
    const std::string kind = message.at("kind"), of = message.at("stream");

    if (kind == "meta") {
      last_seq.erase(of);
      std::cout << of << ": " << message.at("model").get<std::string>() << " on "
                << message.at("engine").get<std::string>() << ". " << message.at("notice").get<std::string>() << '\n';
    } else if (kind == "affect") {
      const std::int64_t seq = message.at("seq");
      if (!repeat) {  // rule 2: seq has no gaps; when it goes back, the publisher has started anew
        if (const auto last = last_seq.find(of); last != last_seq.end() && seq > last->second)
          lost += seq - last->second - 1;
        last_seq[of] = seq;
      }
      std::cout << of << " face " << message.at("track") << " seq " << seq << ' ' << message.at("status").get<std::string>();
      if (!message.at("valence").is_null())  // rule 3: valence and arousal are null while abstaining
        std::cout << " valence " << message.at("valence") << " arousal " << message.at("arousal");
      std::cout << " lost " << lost << std::endl;
    }  // further kinds may come within v1: ignore them
  }
}
