import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Posts to a URL again and again with HttpClient, and prints what each time came of it. */
public class Fetch {
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final Pattern CODE = Pattern.compile("\\{\"code\":(-?\\d+),.*\\}", Pattern.DOTALL);

    private static String post(String url) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(2))
                .POST(HttpRequest.BodyPublishers.ofString("{}"))
                .build();
        CompletableFuture<HttpResponse<byte[]>> answer =
                CLIENT.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray());
        HttpResponse<byte[]> response;
        try {
            response = answer.get(20, TimeUnit.SECONDS);
        } catch (ExecutionException error) {
            return error.getCause() instanceof HttpTimeoutException ? "timeout" : "failed";
        } catch (TimeoutException error) {
            return "hung";
        }
        if (response.statusCode() != 200) {
            return String.valueOf(response.statusCode());
        }
        try {
            CharSequence text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(response.body()));
            Matcher found = CODE.matcher(text);
            return found.matches() ? found.group(1) : "undecodable";
        } catch (CharacterCodingException error) {
            return "undecodable";
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        for (int i = 0; i < Integer.parseInt(arguments[1]); i++) {
            System.out.println(post(arguments[0]));
        }
    }
}
